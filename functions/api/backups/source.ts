import {
  type Cluster,
  type ClusterSpec,
  type DeletedCluster,
  isKept,
  keptText,
  Problem,
} from "@pgherd/layers/domain";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";

/** What can be restored from: a cluster, or what is kept of one that was deleted. */
export interface Source {
  readonly id: string;
  readonly name: string;
  readonly spec: ClusterSpec;
  readonly generation: number;
  /** Null: it was deleted. */
  readonly cluster: Cluster | null;
  /** Null: it is there. */
  readonly deleted: DeletedCluster | null;
}

/** @throws {Problem} `not-found`; `backups-removed` where the time of a deleted cluster is over */
export async function findSource(context: ApiContext, clusterId: string): Promise<Source> {
  const cluster = await context.store.getCluster(clusterId);
  if (cluster !== null) return { ...cluster, cluster, deleted: null };
  const deleted = await context.store.getDeletedCluster(clusterId);
  if (deleted === null) {
    // It says what is missing in the words that every call has for it.
    const found = await findCluster(context, clusterId);
    return { ...found, cluster: found, deleted: null };
  }
  checkKept(deleted);
  return { ...deleted, cluster: null, deleted };
}

/** @throws {Problem} `no-backup`, `backups-removed` */
function checkKept(deleted: DeletedCluster): void {
  const now = new Date().toISOString();
  if (isKept(deleted, now)) return;
  const code = deleted.hasBackups ? "backups-removed" : "no-backup";
  const why = deleted.hasBackups
    ? `They were kept until ${deleted.keptUntil}.`
    : "There was no backup of it.";
  throw new Problem(code, `Cluster ${deleted.id} cannot be brought back. ${keptText(deleted, now)} ${why}`);
}

/** What a deleted cluster has left must not be removed before somebody has begun to read it. */
export const fromOf = ({ deleted }: Source): { from?: { deletedClusterId: string } } =>
  deleted === null ? {} : { from: { deletedClusterId: deleted.id } };
