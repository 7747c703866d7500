import type { Cluster, ClusterNode, Topology } from "@pgherd/layers/domain";
import type { Api } from "./api.ts";
import { Database } from "./database.ts";
import type { Environment } from "./environment.ts";
import { LeaderWatch } from "./leader-watch.ts";
import { waitFor } from "./wait.ts";
import { lostRows, type WriterOptions, Writers } from "./writers.ts";

/**
 * Generous: what recovers within seconds may take longer on busy cores, and what does not recover never will. A lost
 * machine waits for up to a minute for the reconciler, and its converge for the machine's boot.
 */
const recoverySeconds = 180;
/** Few and slow: what is promised here is no matter of speed, and other tests need the machine too. */
const calmLoad = { writers: 3, pauseMs: 50 };
const table = "beats";
/** Numbers of the writers through the pooler begin here. */
const pooledNumberFrom = 100;

/** A cluster under load that something happens to. */
export class Trial implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly database: Database;
  readonly #api: Api;
  readonly #loads: readonly Writers[];
  readonly #watch: LeaderWatch;

  private constructor(
    api: Api,
    cluster: Cluster,
    database: Database,
    loads: readonly Writers[],
    watch: LeaderWatch,
  ) {
    this.#api = api;
    this.cluster = cluster;
    this.database = database;
    this.#loads = loads;
    this.#watch = watch;
  }

  /** Creates the cluster and starts clients that write through 5000 and 6432 of all nodes. */
  static async start(
    environment: Environment,
    api: Api,
    spec: Record<string, unknown>,
    options: Partial<WriterOptions> = {},
  ): Promise<Trial> {
    const cluster = await api.createAvailable(spec);
    const database = await Database.of(environment, api, cluster.id);
    await prepareTable(database);
    const loads = [
      Writers.start(database.writerTarget("readWrite"), { ...calmLoad, ...options, table }),
      Writers.start(database.writerTarget("pooled"), { ...calmLoad, ...options, table }, pooledNumberFrom),
    ];
    return new Trial(api, cluster, database, loads, new LeaderWatch(cluster.nodes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.stop()));
    await this.#watch.stop();
    await this.database[Symbol.asyncDispose]();
    await this.#api.remove(this.cluster.id);
  }

  topology(): Promise<Topology> {
    return this.#api.topology(this.cluster.id);
  }

  async leader(): Promise<ClusterNode & { readonly address: string }> {
    const { shards } = await this.topology();
    return this.node(shards[0]?.leader ?? "");
  }

  async dcsLeader(): Promise<ClusterNode & { readonly address: string }> {
    const { dcs } = await this.topology();
    return this.node(dcs.members.find(({ leader }) => leader)?.nodeId ?? "");
  }

  node(nodeId: string): ClusterNode & { readonly address: string } {
    const node = this.cluster.nodes.find(({ id }) => id === nodeId);
    if (node?.address == null) throw new Error(`no node ${nodeId} with an address`);
    return { ...node, address: node.address };
  }

  others(node: ClusterNode): (ClusterNode & { readonly address: string })[] {
    return this.cluster.nodes.filter(({ id }) => id !== node.id).map(({ id }) => this.node(id));
  }

  /** Every client, through whichever node and port, has written again so long after this call. */
  async allWrite(afterMs = 0): Promise<void> {
    const since = performance.now() + afterMs;
    await waitFor("every client writes again", recoverySeconds, async () =>
      this.#loads.every((load) => load.haveAllWrittenSince(since)) ? true : undefined,
    );
  }

  /** Some client has written again after this call. */
  async someoneWrites(): Promise<void> {
    const before = this.#acknowledgedCount();
    await waitFor("somebody writes again", recoverySeconds, async () =>
      this.#acknowledgedCount() > before ? true : undefined,
    );
  }

  /** The control plane says so by itself. */
  async statusSays(status: Cluster["status"], reason: RegExp): Promise<void> {
    await waitFor(`status ${status}, because ${reason}`, recoverySeconds, async () => {
      const { body } = await this.#api.get<Cluster>(`/v1/clusters/${this.cluster.id}`);
      if (body.status === status && reason.test(body.statusReason)) return true;
      throw new Error(`it is ${body.status}: ${body.statusReason}`);
    });
  }

  async events(): Promise<{ action: string; detail: string }[]> {
    const path = `/v1/clusters/${this.cluster.id}/events`;
    return (await this.#api.get<{ items: { action: string; detail: string }[] }>(path)).body.items;
  }

  /** Three members stream, one of them synchronous, and etcd has all of its members. */
  async isWhole(): Promise<void> {
    const calledAt = Date.now();
    await waitFor("the cluster is whole again", recoverySeconds, async () => {
      const topology = await this.topology();
      const members = topology.shards[0]?.members ?? [];
      const up = members.filter(({ state }) => state === "running" || state === "streaming");
      const isWhole =
        Date.parse(topology.observedAt) > calledAt &&
        up.length === this.cluster.nodes.length &&
        members.some(({ role }) => role === "sync-standby") &&
        topology.dcs.members.every(({ healthy }) => healthy);
      if (!isWhole) throw new Error(JSON.stringify(topology));
      return true;
    });
    await this.allWrite();
  }

  /** Acknowledged rows that are not there; what was acknowledged while they were read is there all the more. */
  async lostRows(): Promise<string[]> {
    const acknowledged = this.#loads.flatMap((load) => load.acknowledgedKeys());
    const present = await this.database.sql("readWrite", "admin", `SELECT client || ' ' || id FROM ${table}`);
    return lostRows(acknowledged, present.split("\n"));
  }

  /** What clients were told whose writes failed, and how often, since they began. */
  failedWrites(): Record<string, number>[] {
    return this.#loads.map((load) => ({ ...load.report().errors }));
  }

  /** Moments in which more than one node took writes. */
  rivals(): readonly string[] {
    return this.#watch.rivals;
  }

  #acknowledgedCount(): number {
    return this.#loads.reduce((sum, load) => sum + load.acknowledgedCount, 0);
  }
}

export async function prepareTable(database: Database): Promise<void> {
  await database.sql(
    "readWrite",
    "admin",
    `CREATE TABLE ${table} (client int, id bigint, PRIMARY KEY (client, id))`,
  );
}
