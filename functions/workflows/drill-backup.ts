import {
  longStep,
  pointOfNoReturn,
  type Scope,
  step,
  together,
  type Undo,
  type Workflow,
  workflowHandler,
} from "@pgherd/layers/runtime/workflow";
import { type CreateDeadlines, createDeadlines } from "./create-cluster/deadlines.ts";
import { configuredNodes } from "./create-cluster/nodes.ts";
import * as software from "./create-cluster/software.ts";
import { check, checksStep } from "./drill-backup/checks.ts";
import { type CheckDeadlines, checkDeadlines } from "./drill-backup/deadlines.ts";
import { measure, recordFailure, recordSuccess } from "./drill-backup/records.ts";
import { aboutThrowAway, inThrowAway } from "./drill-backup/throw-away.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import * as remove from "./removals.ts";
import { archiveSource } from "./restore-cluster/archive-source.ts";
import { attemptsMax } from "./restore-cluster/restored.ts";

/** A look takes hours where there is much data: each try waits for minutes of it. */
const checkAttemptsMax = 150;

type Chapters = Workflow<ClusterPorts>["chapters"];

/** It has no backups, so it needs nothing that would open them. */
const noCipherPass = step("cipher-pass", async (_scope: Scope<ClusterPorts>) => "It archives nothing.");

/**
 * The life of a cluster that is there to prove a backup: made like one that is restored for good, looked at, and
 * removed. Until the removal begins the undos remove it, whatever happens; what even they cannot remove, a reconciler
 * removes.
 */
export function drillBackupWorkflow(
  deadlines: CreateDeadlines = createDeadlines,
  checking: CheckDeadlines = checkDeadlines,
): Workflow<ClusterPorts> {
  const [claim, ...nodes] = configuredNodes(deadlines, noCipherPass);
  if (claim?.kind !== "step") throw new Error("a cluster is made without claiming anything");
  return {
    kind: "drill-backup",
    attemptsMax,
    chapters: [
      ...aboutThrowAway([
        { ...claim, undo: removeRecord },
        step("archive-source", (scope) => archiveSource(scope, deadlines)),
        ...nodes,
      ]),
      step("members", (scope) => restored(scope, deadlines)),
      longStep(checksStep, checkAttemptsMax, (scope) => check(scope, checking)),
      step("record", recordSuccess),
      pointOfNoReturn,
      ...aboutThrowAway(removal),
    ],
    // The cluster that the backup is of goes on as it was.
    statusAt: () => null,
    atEnd: recordFailure,
    unwound: {
      undone: "The cluster that was made for it was removed.",
      left: "which are removed within minutes",
    },
  };
}

async function restored(scope: Scope<ClusterPorts>, deadlines: CreateDeadlines): Promise<string> {
  await software.restoredMembers(inThrowAway(scope), deadlines);
  return measure(scope);
}

/** What is left of something is found by its record. */
const removeRecord: Undo<ClusterPorts> = async ({ clusterId, ports }, earlier) => {
  if (earlier.length === 0) await ports.store.removeCluster(clusterId);
};

const removeInstance = (scope: Scope<ClusterPorts>): Promise<void> => remove.instance(scope, nodeOf(scope));

const nodeOf = ({ nodes }: Scope<ClusterPorts>): string => {
  const [node] = nodes;
  if (node === undefined) throw new Error("the drill's cluster has no node");
  return node.id;
};

const removal: Chapters = [
  step("remove-instance", removeInstance),
  together(
    step("remove-network-interface", (scope) => remove.networkInterface(scope, nodeOf(scope))),
    step("remove-volume", (scope) => remove.volume(scope, nodeOf(scope))),
    step("remove-identity", remove.identity),
    step("remove-parameters", remove.parameters),
  ),
  step("remove-security-group", (scope) => remove.securityGroup(scope, [])),
  step("remove-cluster", ({ clusterId, ports }) => ports.store.removeCluster(clusterId)),
];

export const handler = workflowHandler(drillBackupWorkflow(), openPorts);
