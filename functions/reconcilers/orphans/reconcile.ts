import { type Cluster, isOwned } from "@pgherd/layers/domain";
import { type Belonging, belongingKinds, type Inventory, type Store } from "@pgherd/layers/ports";
import { errorFields, type Log, systemEntry } from "@pgherd/layers/runtime";
import { inLanes } from "../lanes.ts";

export interface OrphansWorld {
  readonly store: Pick<
    Store,
    "getCluster" | "hasBackups" | "listOrphans" | "noteOrphan" | "forgetOrphan" | "putAuditEntry"
  >;
  readonly inventory: Inventory;
  /** How long an orphan stays after it was reported. */
  readonly graceMs: number;
  readonly now: () => Date;
  readonly log: Log;
}

/** Clusters that are read at the same time: thousands at once would wait for a connection until they are given up. */
const lanes = 16;

const nameOf = (thing: Belonging): string => `${thing.kind} ${thing.id}`;

/** Reports what nobody owns when it is seen first, removes it after its time, and forgets what was owned after all. */
export async function reconcileOrphans(world: OrphansWorld): Promise<void> {
  const orphans = await findOrphans(world);
  const notes = new Map((await world.store.listOrphans()).map((note) => [note.name, note.firstSeenAt]));
  for (const orphan of orphans) {
    try {
      await reconcile(world, orphan, notes.get(nameOf(orphan)) ?? null);
    } catch (error) {
      world.log("error", "an orphan could not be dealt with", {
        orphan: nameOf(orphan),
        ...errorFields(error),
      });
    }
  }
  const names = new Set(orphans.map(nameOf));
  for (const name of notes.keys()) if (!names.has(name)) await world.store.forgetOrphan(name);
}

/**
 * What is there is listed before anybody is asked whose it is: something made in between belongs to a cluster that
 * was on record before it. What holds others goes first.
 */
async function findOrphans(world: OrphansWorld): Promise<Belonging[]> {
  const there = await world.inventory.list();
  const clusterIds = [...new Set(there.map((thing) => thing.clusterId))];
  const clusters = new Map<string, Cluster | null>();
  await inLanes(lanes, clusterIds, async (id) => {
    clusters.set(id, await world.store.getCluster(id));
  });
  const gone = clusterIds.filter((id) => (clusters.get(id) ?? null) === null);
  const backedUp = new Set(
    (await Promise.all(gone.map(async (id) => ((await world.store.hasBackups(id)) ? [id] : [])))).flat(),
  );
  return there
    .filter(({ clusterId, ...thing }) => {
      return !isOwned(thing, clusters.get(clusterId) ?? null, backedUp.has(clusterId));
    })
    .toSorted((left, right) => belongingKinds.indexOf(left.kind) - belongingKinds.indexOf(right.kind));
}

async function reconcile(world: OrphansWorld, orphan: Belonging, firstSeenAt: string | null): Promise<void> {
  const now = world.now();
  if (firstSeenAt === null) {
    await world.store.noteOrphan({ name: nameOf(orphan), firstSeenAt: now.toISOString() });
    const removedAt = new Date(now.getTime() + world.graceMs).toISOString();
    await tell(
      world,
      orphan,
      "orphan-found",
      `It is removed after ${removedAt} unless it is on record by then.`,
    );
    return;
  }
  if (now.getTime() - Date.parse(firstSeenAt) < world.graceMs) return;
  if (!(await world.inventory.remove(orphan))) return;
  await world.store.forgetOrphan(nameOf(orphan));
  await tell(world, orphan, "orphan-removed", `It had been seen first at ${firstSeenAt}.`);
}

async function tell(
  world: OrphansWorld,
  orphan: Belonging,
  action: "orphan-found" | "orphan-removed",
  more: string,
): Promise<void> {
  const { clusterId, nodeId } = orphan;
  const whose = nodeId === null ? clusterId : `${nodeId} of ${clusterId}`;
  const what = `${nameOf(orphan)} says that it is of ${whose}, and nothing on record owns it. ${more}`;
  const detail = `${what.charAt(0).toUpperCase()}${what.slice(1)}`;
  world.log("warn", detail, { action, clusterId, nodeId, kind: orphan.kind, id: orphan.id });
  const at = world.now().toISOString();
  await world.store.putAuditEntry(systemEntry({ clusterId, at, action, operationId: null, detail }));
}
