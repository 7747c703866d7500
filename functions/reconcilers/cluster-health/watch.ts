import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "@pgherd/layers/domain";
import { errorFields } from "@pgherd/layers/runtime";
import { allClusters } from "../clusters.ts";
import { isFree } from "../each-free-cluster.ts";
import { inLanes } from "../lanes.ts";
import { type Memory, newMemory, round, slowMs } from "./round.ts";
import { tell } from "./tell.ts";
import type { HealthWorld } from "./world.ts";

/** A look costs a node a third of a second of processor, so a cluster that is well is not looked at more often. */
const roundMs = 6_000;
/** What is seen for the first time is looked at again after this, and told when it is still there. */
const confirmMs = 2_000;
/** The last round of a minute begins before this; the next minute's first one follows at the usual distance. */
const minuteMs = 57_000;
/** A look that took long is followed by a pause of so many times its length: watching must never be the load. */
const pauseShare = 2;
/** Clusters that are looked at at the same time: each is mostly waiting for its nodes. */
const lanes = 16;
/**
 * Of all clusters. A look is a command, and SSM takes so many in a second (docs/costs.md); from sixty clusters on each
 * is looked at less often.
 */
const looksPerSecondMax = 10;
const looksPerRoundMax = (looksPerSecondMax * roundMs) / 1000;

/** Looks at every cluster again and again. What a process remembers from minute to minute only saves looks. */
export class ClusterWatch {
  readonly #world: HealthWorld;
  readonly #confirmMs: number;
  readonly #memories = new Map<string, Memory>();
  /** By `performance.now()`: before this the cluster is left in peace. */
  readonly #notBefore = new Map<string, number>();
  /** When each was looked at last, by `performance.now()`. */
  readonly #looked = new Map<string, number>();
  /** Clusters at which the last look has failed. */
  readonly #notJudged = new Set<string>();

  constructor(world: HealthWorld, pauses = { confirmMs }) {
    this.#world = world;
    this.#confirmMs = pauses.confirmMs;
  }

  async minute(): Promise<void> {
    const start = performance.now();
    for (let next = 0; next < minuteMs; next += roundMs) {
      const early = start + next - performance.now();
      if (early > 0) await sleep(early);
      // A round that took long is not followed by others in haste.
      else next = Math.max(next, performance.now() - start);
      await this.round(start + minuteMs);
    }
    await this.tell(start);
  }

  /** What is known of the clusters, for alarms and the API. @param since by `performance.now()` */
  async tell(since: number): Promise<void> {
    const told = [...this.#memories].map(([clusterId, { metrics, record }]) => ({
      clusterId,
      findings: record.findings,
      metrics,
      isFresh: (this.#looked.get(clusterId) ?? 0) >= since && !this.#notJudged.has(clusterId),
    }));
    await tell(this.#world, told, [...this.#notJudged]);
  }

  /** @param until by `performance.now()`: what has not been begun by then is left to the next round */
  async round(until = Number.POSITIVE_INFINITY): Promise<void> {
    const clusters = await allClusters(this.#world.store);
    // An operation changes what was seen: afterwards everything is looked at anew.
    const free = new Map(clusters.filter(isFree).map((cluster) => [cluster.id, cluster]));
    for (const known of [this.#memories, this.#looked, this.#notBefore, this.#notJudged]) {
      for (const id of known.keys()) if (!free.has(id)) known.delete(id);
    }
    await inLanes(lanes, this.#due([...free.values()]), async (cluster) => {
      if (performance.now() < until) await this.#look(cluster);
    });
  }

  /** Those that have waited longest. */
  #due(free: readonly Cluster[]): readonly Cluster[] {
    const lookedAt = ({ id }: Cluster): number => this.#looked.get(id) ?? 0;
    return free
      .filter(({ id }) => performance.now() >= (this.#notBefore.get(id) ?? 0))
      .toSorted((left, right) => lookedAt(left) - lookedAt(right))
      .slice(0, looksPerRoundMax);
  }

  async #look(cluster: Cluster): Promise<void> {
    const startedMs = performance.now();
    this.#looked.set(cluster.id, startedMs);
    try {
      await this.#lookTwice(cluster);
      this.#notJudged.delete(cluster.id);
    } catch (error) {
      this.#notJudged.add(cluster.id);
      this.#world.log("error", "a cluster could not be judged", {
        clusterId: cluster.id,
        ...errorFields(error),
      });
    } finally {
      const tookMs = performance.now() - startedMs;
      if (tookMs > slowMs) this.#notBefore.set(cluster.id, performance.now() + pauseShare * tookMs);
    }
  }

  async #lookTwice(cluster: Cluster): Promise<void> {
    const known = this.#memories.get(cluster.id);
    const memory = known ?? newMemory(await this.#world.store.readHealth(cluster.id));
    const after = await round(this.#world, cluster, memory);
    this.#memories.set(cluster.id, after);
    if (isConfirmed(after)) return;
    await sleep(this.#confirmMs);
    const again = await this.#world.store.getCluster(cluster.id);
    if (again === null || !isFree(again)) return;
    this.#memories.set(cluster.id, await round(this.#world, again, after));
  }
}

function isConfirmed({ suspected, record }: Memory): boolean {
  return suspected.every((key) => record.findings.includes(key));
}
