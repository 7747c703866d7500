import { type RestorePoint, restorePointRequestSchema } from "@pgherd/layers/domain";
import { CommandError } from "@pgherd/layers/ports";
import { pointOfNoReturn, step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type ClusterScope, known } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { isOfNodes, isSilence, patiently, requireLeader, runOn } from "./shards.ts";

export interface RestorePointDeadlines {
  /** PostgreSQL writes it in a moment; with `strict` durability it waits for a standby. */
  readonly seconds: number;
  /** A leader is waited for so long, and looked for so often. */
  readonly nobodyMs: number;
  readonly lookMs: number;
}

const restorePointDeadlines: RestorePointDeadlines = { seconds: 75, nobodyMs: 60_000, lookMs: 2_000 };

/** Of acts that failed in passing. */
const attemptsMax = 6;
/** With these PostgreSQL was not told. */
const untold: readonly string[] = [
  "not-leader",
  "wrong-node",
  "not-configured",
  "no-repository",
  "node-not-online",
];

/**
 * PostgreSQL ends a recovery at the first point of a name, so it is told of a name once: who is told is written before,
 * and where nobody knows what came of it, nobody is told again.
 */
export function createRestorePointWorkflow(
  deadlines: RestorePointDeadlines = restorePointDeadlines,
): Workflow<ClusterPorts> {
  return {
    kind: "create-restore-point",
    attemptsMax,
    isForwardOnly: true,
    chapters: [
      step("leader", (scope) => findLeader(scope, deadlines)),
      pointOfNoReturn,
      step("point", (scope) => make(scope, deadlines)),
    ],
    statusAt: () => null,
  };
}

async function readPoint({ clusterId, ports, request }: ClusterScope): Promise<RestorePoint> {
  const { name } = restorePointRequestSchema.parse(request);
  return known(await ports.store.findRestorePoint(clusterId, name), "restore point", name);
}

async function findLeader(scope: ClusterScope, { lookMs, nobodyMs }: RestorePointDeadlines): Promise<string> {
  const { shard } = await readPoint(scope);
  return (await patiently(nobodyMs, lookMs, () => requireLeader(scope, shard))).id;
}

async function make(scope: ClusterScope, deadlines: RestorePointDeadlines): Promise<string> {
  const { at, lsn, name, timeline } = await toldAtLast(scope, deadlines);
  await scope.ports.store.putOperationResult(scope.operationId, { name, at, lsn, timeline });
  return `"${name}" is at ${lsn} on timeline ${timeline}.`;
}

async function toldAtLast(scope: ClusterScope, deadlines: RestorePointDeadlines): Promise<RestorePoint> {
  try {
    return await patiently(deadlines.nobodyMs, deadlines.lookMs, () => tell(scope, deadlines));
  } catch (error) {
    const point = await readPoint(scope);
    throw point.state === "running" && isOfNodes(error) ? uncertain(point, error.message, error) : error;
  }
}

/** A node that has made the point says so again from its memory, so one that was silent is asked once more. */
async function tell(scope: ClusterScope, { seconds }: RestorePointDeadlines): Promise<RestorePoint> {
  const { store } = scope.ports;
  const point = await readPoint(scope);
  if (point.state === "succeeded") return point;
  const leader = await requireLeader(scope, point.shard);
  if (point.state === "running" && point.nodeId !== leader.id)
    throw uncertain(point, "the leader has changed");
  await store.putRestorePoint({ ...point, state: "running", nodeId: leader.id });
  try {
    const input = { clusterId: scope.clusterId, nodeId: leader.id, name: point.name };
    const made = await runOn(scope, leader, "make-restore-point", "point", seconds, input);
    const done: RestorePoint = { ...point, ...made, state: "succeeded", nodeId: leader.id };
    await store.putRestorePoint(done);
    return done;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (untold.includes(error.code)) {
      await store.putRestorePoint(point);
      throw error;
    }
    throw isSilence(error) ? error : uncertain(point, error.message, error);
  }
}

class UncertainError extends Error {
  readonly code = "restore-point-uncertain";
}

const uncertain = ({ name }: RestorePoint, why: string, cause?: unknown): UncertainError =>
  new UncertainError(
    `nobody knows whether PostgreSQL has made restore point "${name}": ${why}. Make another one under another name`,
    cause === undefined ? undefined : { cause },
  );

export const handler = workflowHandler(createRestorePointWorkflow(), openPorts);
