import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "@pgherd/layers/domain";
import { errorFields } from "@pgherd/layers/runtime";
import { allClusters } from "../clusters.ts";
import { inLanes } from "../lanes.ts";
import { type Memory, newMemory, round } from "./round.ts";
import type { HealthWorld } from "./world.ts";

/** Something is told after two looks, so within two of these and the time that the looks take. */
const roundMs = 4_000;
/** The last round of a minute begins before this; the next minute's first one follows at the usual distance. */
const minuteMs = 57_000;
/** Clusters that are looked at at the same time: each is mostly waiting for its nodes. */
const lanes = 8;

/** Looks at every cluster again and again. What a process remembers from minute to minute only saves looks. */
export class ClusterWatch {
  readonly #world: HealthWorld;
  readonly #memories = new Map<string, Memory>();

  constructor(world: HealthWorld) {
    this.#world = world;
  }

  async minute(): Promise<void> {
    const start = performance.now();
    for (let next = 0; next < minuteMs; next += roundMs) {
      const early = start + next - performance.now();
      if (early > 0) await sleep(early);
      // A round that took long is not followed by others in haste.
      else next = Math.max(next, performance.now() - start);
      await this.round();
    }
  }

  async round(): Promise<void> {
    const clusters = await allClusters(this.#world.store);
    for (const id of this.#memories.keys()) {
      if (!clusters.some((cluster) => cluster.id === id)) this.#memories.delete(id);
    }
    await inLanes(lanes, clusters, (cluster) => this.#look(cluster));
  }

  async #look(cluster: Cluster): Promise<void> {
    if (!isToBeJudged(cluster)) {
      // An operation changes what was seen: afterwards everything is looked at anew.
      this.#memories.delete(cluster.id);
      return;
    }
    const memory =
      this.#memories.get(cluster.id) ?? newMemory(await this.#world.store.readHealth(cluster.id));
    try {
      this.#memories.set(cluster.id, await round(this.#world, cluster, memory));
    } catch (error) {
      this.#memories.delete(cluster.id);
      this.#world.log("error", "a cluster could not be judged", {
        clusterId: cluster.id,
        ...errorFields(error),
      });
    }
  }
}

function isToBeJudged(cluster: Cluster): boolean {
  return cluster.activeOperationId === null && ["available", "degraded"].includes(cluster.status);
}
