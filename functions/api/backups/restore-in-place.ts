import {
  type Cluster,
  type ClusterNode,
  type ClusterStatus,
  keptHours,
  lackOfRoom,
  type NodeRoom,
  Problem,
  type RestoreSource,
  targetText,
} from "@pgherd/layers/domain";
import { CommandError } from "@pgherd/layers/ports";
import { newId } from "@pgherd/layers/runtime";
import type { Answer, Call } from "@pgherd/layers/runtime/http";
import { refusePaused } from "../clusters/stop.ts";
import type { ApiContext } from "../context.ts";
import { checkReady, startOperation } from "../start-operation.ts";
import { checkNoBackupRuns } from "./start.ts";
import { preflightOf, type Way } from "./way.ts";

/** What a restore goes to, and from where, once it is clear that it can get there. */
export interface ChosenRestore {
  readonly source: RestoreSource;
  readonly way: Way;
}

const statuses: readonly ClusterStatus[] = ["available", "degraded"];

/**
 * Whether the data of the cluster can be exchanged now, before anybody is asked anything.
 * @throws {Problem}
 */
export function checkExchange(call: Pick<Call, "ifMatch">, cluster: Cluster, verb: string): void {
  checkReady(call, cluster, verb, statuses);
  refusePaused(cluster, verb);
  checkNoBackupRuns(cluster, "PostgreSQL is not stopped under it");
}

/** @throws {Problem} */
export function checkInPlace(call: Pick<Call, "ifMatch">, cluster: Cluster): void {
  checkExchange(call, cluster, "be restored in place");
  const { id, kept } = cluster;
  if (kept === null) return;
  throw new Problem(
    "restore-unconfirmed",
    `Cluster ${id} keeps the data from before restore ${kept.operationId} until ${kept.until}. Confirm that restore, or roll it back: the next one keeps what is there then.`,
  );
}

export async function restoreInPlace(
  context: ApiContext,
  call: Call<unknown, { dryRun: boolean }>,
  cluster: Cluster,
  { source, way }: ChosenRestore,
): Promise<Answer> {
  const members = await membersOf(context, cluster);
  const rooms = await Promise.all(members.map((node) => roomOn(context, cluster, node)));
  const lack = lackOfRoom(rooms, way.backup, cluster.spec);
  if (lack !== null) throw new Problem("volume-too-small", `The restore cannot be done in place: ${lack}.`);
  return startOperation(context, call, cluster, {
    kind: "restore-in-place",
    status: "restoring",
    summary: `Take cluster "${cluster.name}" back to ${targetText(source.target)}, from ${way.backup.type} backup ${way.backup.id}.`,
    interrupts: [
      "Every connection to PostgreSQL, until the data is restored: clients of port 6432 wait for up to two minutes, all others are refused.",
    ],
    warnings: [
      `What was committed after the target is in the database no more. It is kept for ${keptHours} hours.`,
      ...(members.length === 1
        ? []
        : ["Replicas are cloned again: until then a commit is on the leader alone."]),
    ],
    request: { ...source },
    preview: { preflight: preflightOf(way) },
  });
}

/** All of them take part. */
async function membersOf({ observer }: ApiContext, cluster: Cluster): Promise<ClusterNode[]> {
  const shard = (await observer.observe(cluster)).shards[0];
  if (shard?.leader == null) {
    throw new Problem("no-leader", `Cluster ${cluster.id} has no leader whose state could be preserved.`);
  }
  const away = shard.members.find(({ state }) => state !== "running" && state !== "streaming");
  if (away !== undefined) throw notThere(`${away.nodeId} is ${away.state}`);
  return cluster.nodes.filter((node) => node.services.includes("postgres"));
}

const notThere = (what: string, cause?: unknown): Problem =>
  new Problem(
    "member-not-streaming",
    `${what}: it would come back with data that the others have left behind. Repair or replace it first.`,
    cause === undefined ? {} : { cause },
  );

const inspectSeconds = 10;

async function roomOn(
  { commands }: ApiContext,
  { id: clusterId }: Cluster,
  node: ClusterNode,
): Promise<NodeRoom> {
  const { id: nodeId, instanceId } = node;
  if (instanceId === null) throw notThere(`${nodeId} has no machine`);
  const operationId = newId("operation");
  const target = { instanceId, operationId, step: "inspect", deadlineSeconds: inspectSeconds };
  try {
    const { disk } = await commands.run(target, "inspect", { clusterId, nodeId });
    return { nodeId, freeBytes: disk.totalBytes - disk.usedBytes };
  } catch (error) {
    if (error instanceof CommandError) throw notThere(`${nodeId} does not answer`, error);
    throw error;
  }
}
