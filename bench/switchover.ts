import { setTimeout as delay } from "node:timers/promises";
import type { Cluster, Operation } from "@pgherd/layers/domain";
import type { Api } from "../test/e2e/support/api.ts";
import { Database } from "../test/e2e/support/database.ts";
import type { Environment } from "../test/e2e/support/environment.ts";
import { Load, longestWaitMs, type Protocol, prepareLoad } from "../test/e2e/support/load.ts";
import { postmasterAt } from "../test/e2e/support/machines.ts";
import { waitFor } from "../test/e2e/support/wait.ts";
import { report, stopwatch } from "./figure.ts";

const switchoversPerProtocol = 10;
const kills = 20;
const wholeSeconds = 120;
/** Between two accidents: the cluster is whole, and its first checkpoints are over. */
const settleMs = 4_000;
const recoverySeconds = 60;
const probeMs = 10;

interface Topology {
  readonly observedAt: string;
  readonly shards: { leader: string | null; members: { role: string; state: string }[] }[];
}

class Bench {
  readonly #api: Api;
  readonly #cluster: Cluster;
  readonly database: Database;

  constructor(api: Api, cluster: Cluster, database: Database) {
    this.#api = api;
    this.#cluster = cluster;
    this.database = database;
  }

  get addresses(): string[] {
    return this.#cluster.nodes.flatMap(({ address }) => address ?? []);
  }

  async topology(): Promise<Topology> {
    return (await this.#api.get<Topology>(`/v1/clusters/${this.#cluster.id}/topology`)).body;
  }

  async leaderAddress(): Promise<string> {
    const { shards } = await this.topology();
    return this.#cluster.nodes.find(({ id }) => id === shards[0]?.leader)?.address ?? "";
  }

  async whole(): Promise<void> {
    const calledAt = Date.now();
    await waitFor("three members are well", wholeSeconds, async () => {
      const { observedAt, shards } = await this.topology();
      const members = shards[0]?.members ?? [];
      const well = members.filter(({ state }) => state === "running" || state === "streaming");
      const synchronous = members.some(({ role }) => role === "sync-standby");
      return well.length === 3 && synchronous && Date.parse(observedAt) > calledAt ? true : undefined;
    });
    await delay(settleMs);
  }

  async switchOver(): Promise<number> {
    const answer = await this.#api.call<{ operation: Operation }>(
      "POST",
      `/v1/clusters/${this.#cluster.id}/switchover`,
      { body: {} },
    );
    if (answer.status !== 202) throw new Error(`POST switchover: ${JSON.stringify(answer.body)}`);
    const ended = await this.#api.operationEnd(answer.body.operation.id);
    if (ended.state !== "succeeded") throw new Error(`switchover: ${JSON.stringify(ended.error)}`);
    return Number(ended.result?.["pauseMs"]);
  }
}

/** Planned changes under pgbench through every pooler: what the poolers say they held, and what clients saw. */
async function benchPlanned(bench: Bench, protocol: Protocol): Promise<void> {
  const pauses: number[] = [];
  const stalls: number[] = [];
  const reconnects: number[] = [];
  await using load = await Load.start(bench.database, { protocol, addresses: bench.addresses });
  const windows: { from: number; to: number }[] = [];
  for (let count = 0; count < switchoversPerProtocol; count += 1) {
    await bench.whole();
    const from = Date.now();
    const changed = bench.switchOver();
    reconnects.push(await longestGapMs(bench.database, changed));
    pauses.push(await changed);
    windows.push({ from, to: Date.now() });
  }
  await bench.whole();
  const seen = await load.end();
  for (const { from, to } of windows) stalls.push(longestWaitMs(seen, from, to));
  report(`switchover, ${protocol}: poolers held their clients, ms`, pauses);
  report(`switchover, ${protocol}: longest stall of any of 8 clients through 6432, ms`, stalls);
  report(
    `switchover, ${protocol}: clients that connect anew through 5000, longest time without a write, ms`,
    reconnects,
  );
  report(`switchover, ${protocol}: failed transactions through 6432, count`, [seen.complaints.length]);
}

/** The longest time between two writes by clients that connect for each. */
async function longestGapMs(database: Database, until: Promise<unknown>): Promise<number> {
  let over = false;
  const watched = until.finally(() => {
    over = true;
  });
  let [last, longest] = [performance.now(), 0];
  while (!over) {
    const startedAt = performance.now();
    try {
      await database.sql("readWrite", "client", "INSERT INTO beats DEFAULT VALUES");
      // What the statement itself takes is no gap.
      longest = Math.max(longest, startedAt - last);
      last = startedAt;
    } catch {
      await delay(probeMs);
    }
  }
  await watched;
  return longest;
}

/** The leader's PostgreSQL killed with -9: until the first write after it, by way in. */
async function benchKilled(bench: Bench): Promise<void> {
  const ways = { readWrite: [] as number[], pooled: [] as number[] };
  for (let count = 0; count < kills; count += 1) {
    await bench.whole();
    process.kill((await postmasterAt(await bench.leaderAddress())).pid, "SIGKILL");
    await Promise.all(
      (["readWrite", "pooled"] as const).map(async (way) => {
        const write = () => bench.database.sql(way, "client", "INSERT INTO beats DEFAULT VALUES RETURNING 1");
        ways[way].push(await stopwatch(() => waitFor("a write", recoverySeconds, write, probeMs)));
      }),
    );
  }
  report("leader's PostgreSQL killed: a new connection writes through 5000, ms", ways.readWrite);
  report("leader's PostgreSQL killed: a new connection writes through 6432, ms", ways.pooled);
}

export async function benchSwitchover(environment: Environment, api: Api): Promise<void> {
  const cluster: Cluster = await api.createAvailable({ name: "bench-switchover" });
  await using database = await Database.of(environment, api, cluster.id);
  await prepareLoad(database);
  await database.sql("readWrite", "admin", "CREATE TABLE beats (at timestamptz DEFAULT now())");
  const bench = new Bench(api, cluster, database);
  await benchPlanned(bench, "simple");
  await benchPlanned(bench, "prepared");
  await benchKilled(bench);
  await api.remove(cluster.id);
}
