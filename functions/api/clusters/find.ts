import { type Cluster, keptText, Problem } from "@pgherd/layers/domain";
import type { ApiContext } from "../context.ts";

/** @throws {Problem} `not-found`, which says of a deleted cluster what is kept of it until when */
export async function findCluster({ store }: Pick<ApiContext, "store">, clusterId: string): Promise<Cluster> {
  const cluster = await store.getCluster(clusterId);
  if (cluster !== null) return cluster;
  const deleted = await store.getDeletedCluster(clusterId);
  const kept = deleted === null ? "" : ` ${keptText(deleted, new Date().toISOString())}`;
  throw new Problem("not-found", `There is no cluster ${clusterId}.${kept}`);
}
