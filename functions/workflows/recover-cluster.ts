import {
  type Change,
  convergeRequestSchema,
  recoverRequestSchema,
  recoveryResultSchema,
} from "@pgherd/layers/domain";
import { type Loop, loopHandler } from "@pgherd/layers/runtime/workflow";
import { type ConvergeDeadlines, convergeDeadlines } from "./converge-cluster/deadlines.ts";
import { convergeClusterLoop } from "./converge-cluster.ts";
import { coursesOf } from "./course.ts";
import { type ClusterScope, readCluster } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import * as acts from "./recover-cluster/acts.ts";

const { read: readCourse, write: writeCourse } = coursesOf(recoveryResultSchema);

type RecoverChange =
  /** A machine that is only stopped has lost nothing: it may hold the best copy, or the missing vote. */
  | { readonly kind: "start-node"; readonly nodeId: string }
  | { readonly kind: "name-survivor"; readonly nodeId: string }
  /** From then on the node takes no part until it is configured again. */
  | { readonly kind: "set-aside"; readonly nodeId: string }
  | { readonly kind: "found-dcs"; readonly nodeId: string }
  | { readonly kind: "converge"; readonly change: Change };

/**
 * Starts machines that are only stopped; where that gives etcd its majority back, nothing has to be given up. Else it
 * starts etcd anew from one survivor, whose PostgreSQL leads from then on, and then goes on as a converge does. All
 * others are set aside before: whoever comes back with what the old etcd said must not find a majority of its own.
 */
export function recoverClusterLoop(
  deadlines: ConvergeDeadlines = convergeDeadlines,
  converge: Loop<ClusterPorts, Change> = convergeClusterLoop(deadlines),
): Loop<ClusterPorts, RecoverChange> {
  return {
    kind: "recover-cluster",
    attemptsMax: converge.attemptsMax,
    roundsMax: converge.roundsMax,
    next: async (scope, round) => {
      const own = await nextOwn(scope, deadlines);
      if (own !== null) return own;
      const change = await converge.next(plain(scope), round);
      return change === null ? null : { kind: "converge", change };
    },
    nameOf: (change) =>
      change.kind === "converge"
        ? converge.nameOf(change.change)
        : `${change.kind.replaceAll("-", " ")} ${change.nodeId}`,
    carryOut: (scope, change, step) =>
      change.kind === "converge"
        ? converge.carryOut(plain(scope), change.change, step)
        : carryOutOwn(scope, change, deadlines),
    statusAt: (ending, request) =>
      ending.state === "succeeded"
        ? converge.statusAt(ending, request)
        : { status: "degraded", statusReason: `The recovery did not come to its end. ${ending.message}` },
  };
}

/** A converge that nobody asked for anything but the spec. */
const plain = (scope: ClusterScope): ClusterScope => ({ ...scope, request: convergeRequestSchema.parse({}) });

async function nextOwn(
  scope: ClusterScope,
  deadlines: ConvergeDeadlines,
): Promise<Exclude<RecoverChange, { kind: "converge" }> | null> {
  const { survivor, setAside, isFounded, started } = await readCourse(scope);
  if (isFounded) return null;
  if (survivor === null) {
    const stopped = await acts.findStopped(scope, started);
    if (stopped !== null) return { kind: "start-node", nodeId: stopped };
    if (started.length > 0 && (await acts.hasQuorum(scope, deadlines))) return null;
    const wish = recoverRequestSchema.parse(scope.request);
    return { kind: "name-survivor", nodeId: await acts.findSurvivor(scope, wish.survivor, deadlines) };
  }
  const { nodes } = await readCluster(scope);
  const other = nodes.find((node) => node.id !== survivor && !setAside.includes(node.id));
  if (other !== undefined) return { kind: "set-aside", nodeId: other.id };
  return { kind: "found-dcs", nodeId: survivor };
}

async function carryOutOwn(
  scope: ClusterScope,
  { kind, nodeId }: Exclude<RecoverChange, { kind: "converge" }>,
  deadlines: ConvergeDeadlines,
): Promise<string> {
  const { setAside, started } = await readCourse(scope);
  switch (kind) {
    case "start-node": {
      const detail = await acts.startNode(scope, nodeId, deadlines);
      await writeCourse(scope, { started: [...new Set([...started, nodeId])] });
      return detail;
    }
    case "name-survivor":
      await writeCourse(scope, { survivor: nodeId });
      return nodeId;
    case "set-aside": {
      const detail = await acts.setAside(scope, nodeId, deadlines);
      await writeCourse(scope, { setAside: [...new Set([...setAside, nodeId])] });
      return detail;
    }
    case "found-dcs":
      await acts.foundDcs(scope, nodeId, deadlines);
      await writeCourse(scope, { isFounded: true });
      return `${nodeId} leads.`;
  }
}

export const handler = loopHandler(recoverClusterLoop(), openPorts);
