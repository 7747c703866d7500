import {
  clientWaitSeconds,
  keptRequestSchema,
  restorePointBefore,
  restoreSourceSchema,
} from "@pgherd/layers/domain";
import type { RestoredFrom } from "@pgherd/layers/domain/node";
import { type ClusterScope, known, readCluster, readNode } from "../create-cluster/records.ts";
import { switchShard } from "../maintenance-mode.ts";
import { requireLeader, runOn } from "../shards.ts";
import { membersOf, readCourse, restoredNode, shard, writeCourse } from "./course.ts";
import type { InPlaceDeadlines } from "./deadlines.ts";
import { awaitRestored } from "./restoring.ts";

/** What exchanges a cluster's data, each act beside what takes it back in undos.ts. */

const inputOf = (scope: ClusterScope, nodeId: string) => ({ clusterId: scope.clusterId, nodeId });

/** Longer than an operation can take: a cluster that nobody brings to an end is resumed in the end. */
const pauseHoursMax = 12;

/** Patroni promotes nobody and starts nothing while the data changes under it. */
export async function pause(scope: ClusterScope): Promise<void> {
  await switchShard(scope, shard, true);
  const now = Date.now();
  const until = new Date(now + pauseHoursMax * 3_600_000).toISOString();
  const paused = { since: new Date(now).toISOString(), until };
  await scope.ports.store.recordOnCluster(scope.clusterId, scope.operationId, { paused });
}

export async function resume(scope: ClusterScope): Promise<void> {
  await switchShard(scope, shard, false);
  await scope.ports.store.recordOnCluster(scope.clusterId, scope.operationId, { paused: null });
}

/** In a pause it stays who it is. */
export async function leader(scope: ClusterScope): Promise<string> {
  const { id } = await requireLeader(scope, shard);
  await writeCourse(scope, { leaderId: id });
  return id;
}

export async function holdClients(
  scope: ClusterScope,
  nodeId: string,
  { shortSeconds, transactionSeconds }: InPlaceDeadlines,
): Promise<string | undefined> {
  const { node } = await readNode(scope, nodeId);
  if (!node.services.includes("pgbouncer")) return undefined;
  const input = { ...inputOf(scope, node.id), waitSeconds: transactionSeconds };
  const { isHeld } = await runOn(scope, node, "hold-clients", "hold", shortSeconds, input);
  return isHeld ? `${nodeId}: clients wait, for ${clientWaitSeconds} s at most` : undefined;
}

export async function letClientsIn(
  scope: ClusterScope,
  nodeId: string,
  { shortSeconds }: InPlaceDeadlines,
): Promise<void> {
  const { node } = await readNode(scope, nodeId);
  if (!node.services.includes("pgbouncer")) return;
  await runOn(scope, node, "let-clients-in", "let-in", shortSeconds, inputOf(scope, node.id));
}

export async function preserve(scope: ClusterScope, { preserveSeconds }: InPlaceDeadlines): Promise<string> {
  const { leaderId } = await readCourse(scope);
  const { node } = await readNode(scope, known(leaderId, "leader", scope.clusterId));
  const restorePoint = restorePointBefore(scope.operationId);
  const left = await runOn(scope, node, "preserve-state", "preserve", preserveSeconds, {
    ...inputOf(scope, node.id),
    restorePoint,
    deadlineSeconds: preserveSeconds,
  });
  await writeCourse(scope, { left });
  return `Restore point ${restorePoint} at ${left.lsn}, archived.`;
}

export async function stopReplica(
  scope: ClusterScope,
  nodeId: string,
  deadlines: InPlaceDeadlines,
): Promise<void> {
  const { leaderId } = await readCourse(scope);
  if (nodeId !== leaderId) await stopPostgres(scope, nodeId, "stop-replica", deadlines);
}

/** Nothing is committed after that, and all that was is in the archive or with the data. */
export async function stopLeader(scope: ClusterScope, deadlines: InPlaceDeadlines): Promise<void> {
  const { leaderId } = await readCourse(scope);
  await stopPostgres(scope, known(leaderId, "leader", scope.clusterId), "stop-leader", deadlines);
  await writeCourse(scope, { stoppedAt: new Date().toISOString() });
}

async function stopPostgres(
  scope: ClusterScope,
  nodeId: string,
  step: string,
  { stopSeconds }: InPlaceDeadlines,
): Promise<void> {
  const { node } = await readNode(scope, nodeId);
  if (!node.services.includes("postgres")) return;
  const stop = { ...inputOf(scope, node.id), services: ["postgres" as const], deadlineSeconds: stopSeconds };
  await runOn(scope, node, "shut-down", step, stopSeconds, stop);
}

export async function setAside(
  scope: ClusterScope,
  nodeId: string,
  { shortSeconds }: InPlaceDeadlines,
): Promise<void> {
  const { node } = await readNode(scope, nodeId);
  if (!node.services.includes("postgres")) return;
  const { operationId } = scope;
  const input = { ...inputOf(scope, node.id), operationId };
  await runOn(scope, node, "set-aside-data", "set-aside", shortSeconds, input);
}

/** A node that came later has none of it, and is cloned. */
export async function takeKept(
  scope: ClusterScope,
  nodeId: string,
  { shortSeconds }: InPlaceDeadlines,
): Promise<string | undefined> {
  const { node } = await readNode(scope, nodeId);
  if (!node.services.includes("postgres")) return undefined;
  const { operationId: keptOperationId } = keptRequestSchema.parse(scope.request);
  const input = { ...inputOf(scope, node.id), operationId: scope.operationId, keptOperationId };
  const { hasData } = await runOn(scope, node, "take-kept-data", "take-kept", shortSeconds, input);
  return hasData ? undefined : `${nodeId} has none of it, and is cloned`;
}

export async function restoreBackup(
  scope: ClusterScope,
  step: string,
  deadlines: InPlaceDeadlines,
): Promise<string> {
  const { leaderId } = await readCourse(scope);
  await writeCourse(scope, { restoredOn: leaderId });
  const { exclusive, label, target, timeline } = restoreSourceSchema.parse(scope.request);
  const line = timeline === undefined ? {} : { timeline };
  return awaitRestored(scope, { kind: "backup", label, target, exclusive, ...line }, step, deadlines);
}

/** What was in service meanwhile has taken timelines that must not be taken again. */
export async function recoverKept(
  scope: ClusterScope,
  step: string,
  deadlines: InPlaceDeadlines,
): Promise<string> {
  const { left, restoredOn } = await readCourse(scope);
  const { branches, kept } = await readCluster(scope);
  const branch = branches.find(({ operationId }) => operationId === kept?.operationId);
  const from: RestoredFrom = {
    kind: "kept",
    above: left?.timeline ?? null,
    left: known(branch ?? null, "branch", scope.clusterId).left.timeline,
    withArchive: restoredOn !== kept?.leaderId,
  };
  return awaitRestored(scope, from, step, deadlines);
}

/** From here on its WAL goes into the archive. */
export async function lead(scope: ClusterScope, { leadSeconds }: InPlaceDeadlines): Promise<string> {
  const node = await restoredNode(scope);
  const input = { ...inputOf(scope, node.id), leads: true, deadlineSeconds: leadSeconds };
  await runOn(scope, node, "start-member", "lead", leadSeconds, input);
  return `${node.id} leads.`;
}

/** WAL of the new timeline gets into the archive. No client has been let in yet. */
export async function prove(scope: ClusterScope, { archiveSeconds }: InPlaceDeadlines): Promise<string> {
  const node = await restoredNode(scope);
  const { archivedWal } = await runOn(scope, node, "ensure-stanza", "prove", archiveSeconds, {
    ...inputOf(scope, node.id),
    deadlineSeconds: archiveSeconds,
  });
  return `WAL segment ${archivedWal} is archived.`;
}

export async function admitClients(scope: ClusterScope, { shortSeconds }: InPlaceDeadlines): Promise<void> {
  const node = await restoredNode(scope);
  await runOn(scope, node, "admit-clients", "admit", shortSeconds, inputOf(scope, node.id));
}

export async function startReplica(
  scope: ClusterScope,
  nodeId: string,
  { shortSeconds }: InPlaceDeadlines,
): Promise<void> {
  const { node } = await readNode(scope, nodeId);
  if (!(await membersOf(scope)).some(({ id }) => id === nodeId)) return;
  const input = { ...inputOf(scope, node.id), leads: false, deadlineSeconds: shortSeconds };
  await runOn(scope, node, "start-member", "start", shortSeconds, input);
}

export async function dropAside(
  scope: ClusterScope,
  nodeId: string,
  { dropSeconds }: InPlaceDeadlines,
): Promise<void> {
  const { node } = await readNode(scope, nodeId);
  if (!node.services.includes("postgres")) return;
  const input = { ...inputOf(scope, node.id), keep: null };
  await runOn(scope, node, "drop-aside-data", "drop", dropSeconds, input);
}
