import {
  type Backup,
  type BackupAct,
  backupRequestSchema,
  type ClusterNode,
  typeTaken,
} from "@pgherd/layers/domain";
import { CommandError } from "@pgherd/layers/ports";
import { type ClusterScope, known, readCluster, readNode } from "../create-cluster/records.ts";
import { mib, once, pauseBefore, watch, withoutAWord } from "../node-work.ts";
import { isSilence, observeShard, patiently, requireLeader, runningNodes, runOn } from "../shards.ts";
import { readCourse, writeCourse } from "./course.ts";
import type { BackupDeadlines } from "./deadlines.ts";
import { type BackupStanding, engines } from "./engines.ts";

type Take = Extract<BackupAct, { kind: "take" }>;
type Copy = Extract<BackupAct, { kind: "copy" }>;

export async function readBackup({ clusterId, ports, request }: ClusterScope): Promise<Backup> {
  const { backupId } = backupRequestSchema.parse(request);
  return known(await ports.store.getBackup(clusterId, backupId), "backup", backupId);
}

/** A backup is worth something only together with the WAL that is written while it is taken. */
export async function prepare(
  scope: ClusterScope,
  step: string,
  { lookMs, nobodyMs, prepareSeconds }: BackupDeadlines,
): Promise<string> {
  const { engine, shard } = await readBackup(scope);
  if (engine === "pg_dump") {
    await writeCourse(scope, { isReady: true });
    return "A dump needs no WAL.";
  }
  const { archivedWal } = await patiently(nobodyMs, lookMs, async () => {
    const leader = await requireLeader(scope, shard);
    const input = { clusterId: scope.clusterId, nodeId: leader.id, deadlineSeconds: prepareSeconds };
    return runOn(scope, leader, "ensure-stanza", once(step), prepareSeconds, input);
  });
  await writeCourse(scope, { isReady: true });
  return `WAL segment ${archivedWal} is archived.`;
}

/** Who is told is written first: whoever takes over asks that node, and tells no other one as well. */
export async function take(scope: ClusterScope, act: Take, deadlines: BackupDeadlines): Promise<string> {
  const { attempt, nodeId } = act;
  const backup = await readBackup(scope);
  const { node } = await readNode(scope, nodeId);
  await pauseBefore(attempt, deadlines.pauseMs);
  const type = typeTaken(backup, await scope.ports.store.allBackups(scope.clusterId));
  await writeCourse(scope, { attempts: attempt, nodeId, attempt: "begun" });
  const begun: Backup = { ...backup, type, state: "running", nodeId: node.id, progress: null };
  await scope.ports.store.putBackup(begun);
  try {
    const order = { backup: begun, node, step: `take.${attempt}`, seconds: deadlines.shortSeconds };
    await engines[backup.engine].take(scope, order);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    await writeCourse(scope, { attempt: "ended", message: error.message });
    return `It does not begin: ${error.message}`;
  }
  return type === backup.type
    ? `A ${type} backup.`
    : `A full backup: there is none that a ${backup.type} one could build on.`;
}

export function copy(
  scope: ClusterScope,
  { nodeId }: Copy,
  step: string,
  deadlines: BackupDeadlines,
): Promise<string> {
  return watch<BackupStanding>(scope, step, deadlines, {
    look: () => look(scope, nodeId, deadlines),
    conclude: async (standing, isLost) => {
      const outcome = standing ?? (isLost ? await lookElsewhere(scope, nodeId, deadlines) : null);
      return outcome === null ? null : conclude(scope, outcome);
    },
    tell: async ({ progress }) => {
      if (progress === null) return;
      await scope.ports.store.putBackup({ ...(await readBackup(scope)), progress });
    },
  });
}

/** Whoever was told last may be at it still. */
export async function stop(scope: ClusterScope, { shortSeconds }: BackupDeadlines): Promise<string> {
  const { nodeId } = await readCourse(scope);
  if (nodeId === null) return "It had not begun.";
  const backup = await readBackup(scope);
  const { node } = await readNode(scope, nodeId);
  try {
    const order = { backup, node, step: once("stop"), seconds: shortSeconds };
    await engines[backup.engine].stop(scope, order);
  } catch (error) {
    // A node that is away takes no backup, or one that nobody will know of.
    if (!isSilence(error)) throw error;
    return `${nodeId} does not answer.`;
  }
  return `Nothing is taken on ${nodeId} any more.`;
}

/** Null: the node does not answer. */
async function look(
  scope: ClusterScope,
  nodeId: string,
  { shortSeconds }: BackupDeadlines,
): Promise<BackupStanding | null> {
  const backup = await readBackup(scope);
  const { nodes } = await readCluster(scope);
  const node = runningNodes(nodes).find((one) => one.id === nodeId);
  if (node === undefined) return null;
  try {
    const order = { backup, node, step: once("standing"), seconds: shortSeconds };
    return await engines[backup.engine].look(scope, order);
  } catch (error) {
    // A repository that cannot be read for a moment says nothing about the backup.
    if (error instanceof CommandError) return null;
    throw error;
  }
}

/** The node may have come to the end of it before it fell silent: the repository knows. */
async function lookElsewhere(
  scope: ClusterScope,
  lost: string,
  deadlines: BackupDeadlines,
): Promise<BackupStanding> {
  for (const node of await others(scope, lost)) {
    const standing = await look(scope, node.id, deadlines);
    if (standing?.state === "done") return standing;
  }
  return { state: "failed", message: `${lost} gives no answer any more`, progress: null, done: null };
}

async function others(scope: ClusterScope, nodeId: string): Promise<ClusterNode[]> {
  const { nodes } = await readCluster(scope);
  return runningNodes(nodes).filter((one) => one.id !== nodeId && one.services.includes("postgres"));
}

/** Null: it goes on. */
async function conclude(scope: ClusterScope, { message, state }: BackupStanding): Promise<string | null> {
  switch (state) {
    case "running":
      return null;
    case "done":
      await writeCourse(scope, { attempt: "done" });
      return "It is in the repository.";
    case "absent":
    case "failed": {
      const why = message ?? withoutAWord;
      await writeCourse(scope, { attempt: "ended", message: why });
      return `It came to nothing: ${why}`;
    }
  }
}

/** What the repository says counts: size, WAL, and what it is built on. */
export async function record(scope: ClusterScope, deadlines: BackupDeadlines): Promise<string> {
  const backup = await readBackup(scope);
  const { members } = await observeShard(scope, backup.shard);
  const order = [backup.nodeId ?? "", ...members.map(({ nodeId }) => nodeId)];
  for (const nodeId of new Set(order)) {
    const standing = await look(scope, nodeId, deadlines);
    const done = standing?.done ?? null;
    if (done === null) continue;
    await scope.ports.store.putBackup(done);
    await writeCourse(scope, { isRecorded: true });
    return `${done.label}, ${mib(done.repositoryBytes ?? 0)} MiB in the repository.`;
  }
  throw new NotFoundAgainError(`no node finds backup ${backup.id} in the repository any more`);
}

class NotFoundAgainError extends Error {
  readonly code = "repository-unreadable";
}
