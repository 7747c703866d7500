import type { Cluster, Operation, OperationKind } from "@pgherd/layers/domain";
import type { Store } from "@pgherd/layers/ports";
import { systemPrincipal } from "@pgherd/layers/runtime";

/** Operations of one cluster that are looked through for earlier tries. */
const recentMax = 20;

/** How long ago our last operation of the kind ended, and how; null where there was none lately. */
export async function lastTry(
  world: { readonly store: Pick<Store, "listOperations">; readonly now: () => Date },
  cluster: Cluster,
  kind: OperationKind,
): Promise<{ readonly state: Operation["state"]; readonly ageMs: number } | null> {
  const { items } = await world.store.listOperations({
    limit: recentMax,
    cursor: null,
    clusterId: cluster.id,
  });
  const last = items.find((one) => one.kind === kind && one.startedBy === systemPrincipal);
  if (last === undefined || last.endedAt === null) return null;
  return { state: last.state, ageMs: world.now().getTime() - Date.parse(last.endedAt) };
}
