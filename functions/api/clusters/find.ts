import { type Cluster, Problem } from "@pgherd/layers/domain";
import type { ApiContext } from "../context.ts";

export async function findCluster({ store }: ApiContext, clusterId: string): Promise<Cluster> {
  const cluster = await store.getCluster(clusterId);
  if (cluster === null) throw new Problem("not-found", `There is no cluster ${clusterId}.`);
  return cluster;
}
