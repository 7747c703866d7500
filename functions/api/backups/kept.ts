import { type Cluster, type Kept, Problem } from "@pgherd/layers/domain";
import type { ApiContext } from "../context.ts";

/**
 * What the cluster keeps from before a restore in place.
 * @throws {Problem} `not-found` where there was no such restore, `nothing-kept` where it is kept no more
 */
export async function requireKept(
  { store }: ApiContext,
  { id, kept }: Cluster,
  operationId: string,
): Promise<Kept> {
  if (kept?.operationId === operationId) return kept;
  const operation = await store.getOperation(operationId);
  if (operation?.clusterId !== id || operation.kind !== "restore-in-place") {
    throw new Problem("not-found", `Cluster ${id} was never restored in place by operation ${operationId}.`);
  }
  const instead =
    kept === null
      ? "The cluster keeps none: restore to a time before it instead."
      : `The cluster keeps the data from before ${kept.operationId}.`;
  throw new Problem(
    "nothing-kept",
    `The data from before operation ${operationId} is not kept, or not any more. ${instead}`,
  );
}
