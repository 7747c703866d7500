import type { SeenInstance } from "@pgherd/layers/domain";
import type { Compute } from "@pgherd/layers/ports";

/** By node. One that was replaced has instances that end beside the one that fills it: the living one counts. */
export async function instancesOf(
  compute: Pick<Compute, "listInstances">,
  clusterId: string,
): Promise<ReadonlyMap<string, SeenInstance>> {
  const instances = await compute.listInstances(clusterId);
  const isAlive = (state: string): boolean => state === "running" || state === "pending";
  const livingLast = instances.toSorted(
    (left, right) => Number(isAlive(left.state)) - Number(isAlive(right.state)),
  );
  return new Map(
    livingLast.map(({ nodeId, instanceId, instanceType, state }) => [
      nodeId,
      { instanceId, instanceType, life: state },
    ]),
  );
}
