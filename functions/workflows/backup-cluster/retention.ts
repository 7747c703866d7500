import { type Backup, type BackupAct, beyondRetention, forgettable, readersOf } from "@pgherd/layers/domain";
import { type ClusterScope, readCluster } from "../create-cluster/records.ts";
import { once } from "../node-work.ts";
import { isOfNodes, requireLeader, runOn } from "../shards.ts";
import { readCourse, writeCourse } from "./course.ts";
import type { BackupDeadlines } from "./deadlines.ts";
import { removeLogical } from "./engines.ts";

type Remove = Extract<BackupAct, { kind: "remove" }>;

/** A retention that was lowered leaves much to remove: what one backup does not get to, the next one does. */
export const removalsMax = 50;

/** What is to be removed now that the backup is on record; null: it is done. */
export async function nextOfRetention(scope: ClusterScope, shard: number): Promise<BackupAct | null> {
  const { isTidy, removals } = await readCourse(scope);
  if (isTidy) return null;
  const [first] = removals < removalsMax ? await expiredOf(scope, shard) : [];
  return first === undefined ? { kind: "tidy" } : { kind: "remove", backupId: first.id };
}

async function expiredOf(scope: ClusterScope, shard: number): Promise<Backup[]> {
  const { clusterId, ports } = scope;
  const [{ spec }, backups, open] = await Promise.all([
    readCluster(scope),
    ports.store.allBackups(clusterId),
    ports.store.listOpenOperations(null),
  ]);
  const inUse = readersOf(open, clusterId).map(({ backupId }) => backupId);
  const ofShard = backups.filter((one) => one.shard === shard);
  return beyondRetention(ofShard, spec.backup.retention, new Set(inUse));
}

/** Out of the repository, then off the record. What cannot be removed now is, with the next backup. */
export async function remove(
  scope: ClusterScope,
  { backupId }: Remove,
  deadlines: BackupDeadlines,
): Promise<string> {
  const { clusterId, operationId, ports } = scope;
  const backup = await ports.store.getBackup(clusterId, backupId);
  const { removals } = await readCourse(scope);
  await writeCourse(scope, { removals: removals + 1 });
  if (backup === null) return "It is gone.";
  if (!(await ports.store.claimBackup(backup, operationId))) return "Somebody else is at it.";
  const said = await orLater(scope, () => removeFromRepository(scope, backup, deadlines));
  if (said !== null) {
    // A repository gives up the whole of a backup, or nothing; objects go one by one, and nobody can rely on the rest.
    if (backup.engine === "pgbackrest") await ports.store.putBackup({ ...backup, operationId });
    return said;
  }
  await ports.store.removeBackup(clusterId, backupId);
  return `${backup.type} backup ${backup.label}`;
}

export async function removeFromRepository(
  scope: ClusterScope,
  backup: Backup,
  { deleteSeconds }: BackupDeadlines,
): Promise<void> {
  const { engine, label, shard } = backup;
  if (engine === "pg_dump") return removeLogical(scope, backup, deleteSeconds);
  if (label === null) return;
  const leader = await requireLeader(scope, shard);
  await runOn(scope, leader, "delete-backup", once("delete"), deleteSeconds, {
    clusterId: scope.clusterId,
    nodeId: leader.id,
    label,
  });
}

/** What explains nothing any more goes off the record, and WAL that nobody needs out of the archive. */
export async function tidy(scope: ClusterScope, shard: number, deadlines: BackupDeadlines): Promise<string> {
  const { clusterId, ports } = scope;
  const [{ spec }, backups] = await Promise.all([readCluster(scope), ports.store.allBackups(clusterId)]);
  const ofShard = backups.filter((one) => one.shard === shard);
  for (const { id } of forgettable(ofShard, spec.backup.retention)) {
    await ports.store.removeBackup(clusterId, id);
  }
  const said = await orLater(scope, () => expireArchive(scope, shard, deadlines));
  await writeCourse(scope, { isTidy: true });
  return said ?? "WAL is kept from the first full backup on.";
}

export async function expireArchive(
  scope: ClusterScope,
  shard: number,
  { deleteSeconds }: BackupDeadlines,
): Promise<void> {
  const leader = await requireLeader(scope, shard);
  const input = { clusterId: scope.clusterId, nodeId: leader.id };
  await runOn(scope, leader, "expire-archive", once("expire-archive"), deleteSeconds, input);
}

/** A backup that was taken has not failed because another one could not be removed. Null: it was. */
async function orLater(scope: ClusterScope, work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (!isOfNodes(error)) throw error;
    await writeCourse(scope, { isTidy: true });
    return `It stays until the next backup: ${error.message}`;
  }
}
