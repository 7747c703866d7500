import type { Backup, BackupType } from "./backup.ts";
import type { RepositoryBackup } from "./repository.ts";

type Kept = Pick<Backup, "id" | "label" | "shard" | "type" | "state" | "references">;

const isThere = ({ state }: Kept): boolean => state === "succeeded";
const isFullOf = (shard: number, one: Kept): boolean =>
  one.shard === shard && one.type === "full" && isThere(one);

/** A repository's backups as the rules know them: they are there, and all of them are of one shard, whichever it is. */
export function keptInRepository<B extends Pick<RepositoryBackup, "label" | "type" | "references">>(
  backups: readonly B[],
): (B & Kept)[] {
  return backups.map((one) => ({ ...one, id: one.label, shard: 0, state: "succeeded" }));
}

/** Backups that cannot be restored without this one. */
export function dependentsOf<B extends Kept>(backup: Kept, backups: readonly B[]): B[] {
  const { label, shard } = backup;
  if (label === null) return [];
  const others = backups.filter((one) => one.id !== backup.id && one.shard === shard && isThere(one));
  return others.filter(({ references }) => references.includes(label));
}

/** Why a backup must stay, as a sentence; null where it may go. */
export function reasonToKeep(backup: Kept, backups: readonly Kept[]): string | null {
  if (!isThere(backup)) return null;
  const dependents = dependentsOf(backup, backups);
  if (dependents.length > 0) {
    const which = dependents.map(({ id, type }) => `${id} (${type})`).join(", ");
    return `Backup ${backup.id} cannot be deleted, because others cannot be restored without it: ${which}. Delete those first.`;
  }
  if (backup.type !== "full") return null;
  const others = backups.filter((one) => one.id !== backup.id && isFullOf(backup.shard, one));
  return others.length > 0
    ? null
    : `Backup ${backup.id} cannot be deleted, because it is the last full one: without it nothing can be restored. Take another full backup first.`;
}

/** What a backup of the type comes to: without a full one before it, every backup of files is a full one. */
export function typeTaken(
  { shard, type }: Pick<Backup, "shard" | "type">,
  backups: readonly Kept[],
): BackupType {
  if (type === "logical") return type;
  return backups.some((one) => isFullOf(shard, one)) ? type : "full";
}
