import { type Backup, Problem } from "@pgherd/layers/domain";
import type { ApiContext } from "../context.ts";

export async function findBackup(
  { store }: ApiContext,
  { backupId, clusterId }: { readonly clusterId: string; readonly backupId: string },
): Promise<Backup> {
  const backup = await store.getBackup(clusterId, backupId);
  if (backup === null) throw new Problem("not-found", `Cluster ${clusterId} has no backup ${backupId}.`);
  return backup;
}
