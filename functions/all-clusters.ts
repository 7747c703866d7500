import type { Cluster } from "@pgherd/layers/domain";
import type { Store } from "@pgherd/layers/ports";

const pageSize = 100;

/** Every cluster of the environment, as the index has them: what is then written is conditional. */
export async function allClusters(store: Pick<Store, "listClusters">): Promise<Cluster[]> {
  const clusters: Cluster[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Store["listClusters"]>> = await store.listClusters({
      limit: pageSize,
      cursor,
    });
    clusters.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return clusters;
}
