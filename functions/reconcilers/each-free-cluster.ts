import { type Cluster, isFree } from "@pgherd/layers/domain";
import type { Store } from "@pgherd/layers/ports";
import { errorFields, type Log } from "@pgherd/layers/runtime";
import { allClusters } from "../all-clusters.ts";

/** Clusters that are meant to be up and that no operation holds; one that fails does not keep the others waiting. */
export async function eachFreeCluster(
  world: { readonly store: Pick<Store, "listClusters">; readonly log: Log },
  work: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  for (const cluster of await allClusters(world.store)) {
    if (!isFree(cluster)) continue;
    try {
      await work(cluster);
    } catch (error) {
      world.log("error", "a cluster could not be looked after", {
        clusterId: cluster.id,
        ...errorFields(error),
      });
    }
  }
}
