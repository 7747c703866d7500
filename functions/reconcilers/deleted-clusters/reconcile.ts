import { backupPath, type Cluster, type DeletedCluster, isTimeOver, readersOf } from "@pgherd/layers/domain";
import type { AuditEntry, Repositories, Secrets, Store } from "@pgherd/layers/ports";
import { errorFields, type Log, systemEntry } from "@pgherd/layers/runtime";

export interface DeletedClustersWorld {
  readonly environment: string;
  readonly store: Pick<
    Store,
    | "getCluster"
    | "listOpenOperations"
    | "listDeletedClusters"
    | "beginRemoval"
    | "putOffRemoval"
    | "removeBackupRecords"
    | "forgetDeletedCluster"
  >;
  readonly secrets: Pick<Secrets, "removeAll">;
  readonly repositories: Pick<Repositories, "removeAll">;
  readonly now: () => Date;
  readonly log: Log;
}

/** Of the minute that a round has; what is left over is removed in the next one. */
const removalMs = 40_000;

/** One that cannot be dealt with now is dealt with next time. */
export async function removeWhatIsOver(world: DeletedClustersWorld): Promise<void> {
  const endMs = world.now().getTime() + removalMs;
  for (const deleted of ownFirst(await world.store.listDeletedClusters())) {
    const leftMs = endMs - world.now().getTime();
    if (leftMs <= 0) return;
    try {
      await reconcile(world, deleted, leftMs);
    } catch (error) {
      world.log("error", "what was kept of a deleted cluster could not be dealt with", {
        clusterId: deleted.id,
        ...errorFields(error),
      });
    }
  }
}

/** A store of somebody else's may take long to say nothing at all, and nobody is to wait for that. */
const ownFirst = (all: readonly DeletedCluster[]): DeletedCluster[] =>
  all.toSorted((left, right) => Number(isForeign(left)) - Number(isForeign(right)));
const isForeign = ({ spec }: DeletedCluster): boolean => spec.backup.store !== null;

/** In these nobody knows yet whether the cluster is back. */
const unsure: readonly Cluster["status"][] = ["creating", "failed"];

async function reconcile(
  world: DeletedClustersWorld,
  deleted: DeletedCluster,
  leftMs: number,
): Promise<void> {
  const { store } = world;
  const cluster = await store.getCluster(deleted.id);
  if (cluster !== null) {
    // It was brought back, and its backups are its own again.
    const isBack = cluster.activeOperationId === null && !unsure.includes(cluster.status);
    if (isBack) await store.forgetDeletedCluster(deleted.id, null);
    return;
  }
  if (!deleted.isRemoving && !isTimeOver(deleted, world.now().toISOString())) return;
  if (!(await store.beginRemoval(deleted.id))) return;
  // From here on nobody begins to read; whoever had begun before goes on to the end.
  if (await isInUse(world, deleted.id)) {
    await store.putOffRemoval(deleted.id);
    return;
  }
  await remove(world, deleted, leftMs);
}

async function isInUse({ store }: DeletedClustersWorld, clusterId: string): Promise<boolean> {
  if ((await store.getCluster(clusterId)) !== null) return true;
  return readersOf(await store.listOpenOperations(null), clusterId).length > 0;
}

/** Objects first, then what opens them, then the record of them: whatever ends this early is begun again. */
async function remove(world: DeletedClustersWorld, deleted: DeletedCluster, leftMs: number): Promise<void> {
  const { environment, log, repositories, secrets, store } = world;
  const { id: clusterId, name, spec } = deleted;
  const place = { clusterId, store: spec.backup.store };
  const { isDone, removed } = await repositories.removeAll(place, leftMs);
  log("info", "backups of a deleted cluster are removed", { clusterId, removed, isDone });
  if (!isDone) return;
  await secrets.removeAll(backupPath(environment, clusterId));
  await store.removeBackupRecords(clusterId);
  const detail = `Backups and WAL of deleted cluster "${name}" are removed: they were kept until ${deleted.keptUntil}.`;
  await store.forgetDeletedCluster(clusterId, deleted.hasBackups ? event(world, clusterId, detail) : null);
}

const event = ({ now }: DeletedClustersWorld, clusterId: string, detail: string): AuditEntry =>
  systemEntry({
    clusterId,
    at: now().toISOString(),
    action: "backups-removed",
    operationId: null,
    detail,
  });
