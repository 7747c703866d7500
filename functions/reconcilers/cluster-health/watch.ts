import { setTimeout as sleep } from "node:timers/promises";
import { type Cluster, isFree } from "@pgherd/layers/domain";
import { errorFields } from "@pgherd/layers/runtime";
import { allClusters } from "../../all-clusters.ts";
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
 * To the nodes of all clusters. A look is one, the first look at a cluster one to each of its nodes. AWS does not say how
 * many SSM takes (docs/costs.md); from sixty clusters on each is looked at less often.
 */
const commandsPerSecondMax = 10;
const commandsPerRoundMax = (commandsPerSecondMax * roundMs) / 1000;

/** Looks at every cluster again and again. What a process remembers from minute to minute only saves looks. */
export class ClusterWatch {
  readonly #world: HealthWorld;
  readonly #confirmMs: number;
  readonly #memories = new Map<string, Memory>();
  /** By `performance.now()`: before this the cluster is left in peace. */
  readonly #notBefore = new Map<string, number>();
  /** When each was looked at last, by `performance.now()`. */
  readonly #looked = new Map<string, number>();
  #listed: { readonly clusters: readonly Cluster[]; readonly atMs: number } = { clusters: [], atMs: 0 };
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
      const clusters = await this.round(start + minuteMs);
      // Lambda charges for waiting, too.
      if (clusters === 0) break;
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

  /**
   * @param until by `performance.now()`: what has not been begun by then is left to the next round
   * @returns how many clusters there are
   */
  async round(until = Number.POSITIVE_INFINITY): Promise<number> {
    const { clusters, isNew } = await this.#list();
    // An operation changes what was seen: afterwards everything is looked at anew.
    const free = new Map(clusters.filter(isFree).map((cluster) => [cluster.id, cluster]));
    for (const known of [this.#memories, this.#looked, this.#notBefore, this.#notJudged]) {
      for (const id of known.keys()) if (!free.has(id)) known.delete(id);
    }
    await inLanes(lanes, this.#due([...free.values()]), async (cluster) => {
      if (performance.now() >= until) return;
      const now = isNew ? cluster : await this.#world.store.getCluster(cluster.id);
      if (now !== null && isFree(now)) await this.#look(now);
      else this.#memories.delete(cluster.id);
    });
    return clusters.length;
  }

  /** To read all of thousands takes seconds of processor, and a round looks at a few of them: once a minute is enough. */
  async #list(): Promise<{ clusters: readonly Cluster[]; isNew: boolean }> {
    const { atMs, clusters } = this.#listed;
    if (clusters.length > commandsPerRoundMax && performance.now() - atMs < minuteMs) {
      return { clusters, isNew: false };
    }
    this.#listed = { clusters: await allClusters(this.#world.store), atMs: performance.now() };
    return { clusters: this.#listed.clusters, isNew: true };
  }

  /** Those that have waited longest, as many as a round has commands for. */
  #due(free: readonly Cluster[]): readonly Cluster[] {
    const lookedAt = ({ id }: Cluster): number => this.#looked.get(id) ?? 0;
    let commands = 0;
    return free
      .filter(({ id }) => performance.now() >= (this.#notBefore.get(id) ?? 0))
      .toSorted((left, right) => lookedAt(left) - lookedAt(right))
      .filter(({ id, nodes }) => {
        commands += this.#memories.has(id) ? 1 : nodes.length;
        return commands <= commandsPerRoundMax;
      });
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
