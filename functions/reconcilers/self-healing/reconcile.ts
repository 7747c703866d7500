import { type Cluster, type Healing, nodeToHeal } from "@pgherd/layers/domain";
import type { Compute, NodeCommandPort, Store } from "@pgherd/layers/ports";
import { errorFields, newId } from "@pgherd/layers/runtime";
import { eachFreeCluster } from "../each-free-cluster.ts";
import { instancesOf } from "../instances.ts";
import { lastTry } from "../last-try.ts";
import { type StartingWorld, startBySystem } from "../start-operation.ts";

export interface HealingWorld extends StartingWorld {
  readonly store: Pick<
    Store,
    "startOperation" | "listOperations" | "listClusters" | "readHealth" | "getCluster"
  >;
  readonly commands: Pick<NodeCommandPort, "run">;
  readonly compute: Pick<Compute, "listInstances">;
}

/** What made a healing fail is rarely over sooner, and every try makes its own noise. */
const pauseAfterFailureMs = 10 * 60 * 1000;
/** A node that is alive answers sooner. */
const lastCallSeconds = 8;

/** Looks at every cluster and brings back at most one node of each. */
export async function healNodes(world: HealingWorld): Promise<void> {
  await eachFreeCluster(world, async ({ id }) => {
    const record = await world.store.readHealth(id);
    if (Object.keys(record.silentSince).length === 0) return;
    // The index may lag behind, and what it says decides about a machine's end.
    const cluster = await world.store.getCluster(id);
    if (cluster === null || cluster.activeOperationId !== null) return;
    const instances = await instancesOf(world.compute, id);
    const secondsSince = (at: string): number => (world.now().getTime() - Date.parse(at)) / 1000;
    const healing = nodeToHeal(cluster, record, instances, secondsSince);
    if (healing === null) return;
    const last = await lastTry(world, cluster, "converge-cluster");
    if (last !== null && last.state !== "succeeded" && last.ageMs < pauseAfterFailureMs) return;
    if (healing.replaces !== null && (await answers(world, cluster, healing.nodeId, healing.replaces)))
      return;
    await heal(world, cluster, healing);
  });
}

/** A last call before an instance that runs is given up: what is remembered of its silence may be old. */
async function answers(
  world: HealingWorld,
  cluster: Cluster,
  nodeId: string,
  instanceId: string,
): Promise<boolean> {
  const target = {
    instanceId,
    operationId: newId("operation"),
    step: "last-call",
    deadlineSeconds: lastCallSeconds,
  };
  try {
    await world.commands.run(target, "inspect", { clusterId: cluster.id, nodeId });
    return true;
  } catch (error) {
    world.log("info", "a silent node does not answer a last call", {
      clusterId: cluster.id,
      nodeId,
      ...errorFields(error),
    });
    return false;
  }
}

async function heal(world: HealingWorld, cluster: Cluster, healing: Healing): Promise<void> {
  const { nodeId, replaces, because } = healing;
  const replace = { nodeId, instanceId: replaces, volumeId: null, zone: null };
  await startBySystem(world, cluster, {
    kind: "converge-cluster",
    status: "updating",
    ...(replaces === null ? {} : { request: { replace } }),
    detail: `Self-healing: ${because}. ${replaces === null ? "It is started again." : "Another instance takes its place, with its address and its volume."}`,
  });
}
