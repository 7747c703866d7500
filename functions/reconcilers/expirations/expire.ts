import type { Cluster } from "@pgherd/layers/domain";
import type { Store } from "@pgherd/layers/ports";
import { errorFields } from "@pgherd/layers/runtime";
import { allClusters } from "../../all-clusters.ts";
import { type StartingWorld, startBySystem } from "../start-operation.ts";
import { type LeftDrillsWorld, removeLeftDrill } from "./left-drills.ts";

export interface ExpirationWorld extends StartingWorld {
  readonly store: Pick<Store, "listClusters"> & LeftDrillsWorld["store"];
}

/** In others nothing can be done with a cluster now; in these, what is over stays over until it can. */
const statuses: readonly string[] = ["available", "degraded"];

/** Looks at every cluster. One that is busy is looked at next time. */
export async function endWhatIsOver(world: ExpirationWorld): Promise<void> {
  for (const seen of await allClusters(world.store)) {
    if (seen.drillOf === null && !isDue(seen, world.now())) continue;
    try {
      // The list may lag behind.
      const cluster = await world.store.getCluster(seen.id);
      if (cluster === null) continue;
      if (cluster.drillOf === null) await endOf(world, cluster);
      else await removeLeftDrill(world, cluster, cluster.drillOf);
    } catch (error) {
      world.log("error", "what is over could not be ended", { clusterId: seen.id, ...errorFields(error) });
    }
  }
}

function isDue({ activeOperationId, kept, paused, retiring, status }: Cluster, now: Date): boolean {
  if (activeOperationId !== null || !statuses.includes(status)) return false;
  return [paused?.until, retiring?.until, kept?.until].some((until) => isOver(until, now));
}

const isOver = (until: string | null | undefined, now: Date): boolean =>
  until != null && Date.parse(until) <= now.getTime();

/** One operation at a time: the other, if there is one, at the next look. */
async function endOf(world: ExpirationWorld, cluster: Cluster): Promise<void> {
  const now = world.now();
  if (!isDue(cluster, now)) return;
  if (isOver(cluster.paused?.until, now)) {
    const detail = `The pause of cluster "${cluster.name}" is over.`;
    await startBySystem(world, cluster, { kind: "resume-cluster", detail });
    return;
  }
  const { kept } = cluster;
  if (kept !== null && isOver(kept.until, now)) {
    const detail = `The data of cluster "${cluster.name}" from before restore ${kept.operationId} is dropped: its time is over.`;
    const request = { operationId: kept.operationId };
    await startBySystem(world, cluster, { kind: "confirm-restore", detail, request });
    return;
  }
  const end = cluster.retiring?.logins ?? [];
  const detail = `The logins ${end.join(" and ")} of cluster "${cluster.name}" end: their time is over.`;
  await startBySystem(world, cluster, {
    kind: "rotate-credentials",
    detail,
    request: { mode: "retire", end },
  });
}
