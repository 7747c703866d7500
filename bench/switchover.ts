import { setTimeout as delay } from "node:timers/promises";
import type { Api } from "../test/e2e/support/api.ts";
import type { Environment } from "../test/e2e/support/environment.ts";
import { Load, longestWaitMs, type Protocol, prepareLoad } from "../test/e2e/support/load.ts";
import { Writers } from "../test/e2e/support/writers.ts";
import { report, runsOr } from "./figure.ts";
import { inWords, measure } from "./peers/measure.ts";
import { Pgherd } from "./peers/pgherd.ts";
import { acts } from "./peers/system.ts";

const switchoversPerProtocol = runsOr(10);
const kills = runsOr(20);
/** Twenty kills take six minutes; a cluster that does not recover is not waited for without end. */
const killsMsMax = 12 * 60_000;
/** Between two changes the load runs undisturbed. */
const calmMs = 3_000;
const proxyClients = 2;

/** Planned changes under pgbench through every pooler: what the poolers say they held, and what clients saw. */
async function benchPlanned(pgherd: Pgherd, protocol: Protocol): Promise<void> {
  const table = `beats_${protocol}`;
  await pgherd.sql(`CREATE TABLE ${table} (client int, id bigint, PRIMARY KEY (client, id))`);
  const { addresses } = pgherd;
  await using load = await Load.start(pgherd.database, {
    protocol,
    addresses,
    transactionsPerSecond: null,
  });
  const target = pgherd.database.writerTarget("readWrite", "admin");
  await using reconnecting = Writers.start(target, { table, writers: proxyClients });
  const changes: Change[] = [];
  const complaints: string[] = [];
  for (let count = 0; count < switchoversPerProtocol; count += 1) {
    try {
      await pgherd.becomeWhole();
      await delay(calmMs);
      changes.push(await changeOnce(pgherd, reconnecting));
    } catch (error) {
      complaints.push(inWords(error));
    }
  }
  const seen = await load.end();
  const stalls = changes.map(({ from, to }) => longestWaitMs(seen, from, to));
  const proxied = changes.map(({ proxyStallMs }) => proxyStallMs);
  const name = `switchover, ${protocol}`;
  report(
    `${name}: poolers held their clients, ms`,
    changes.map(({ pauseMs }) => pauseMs),
  );
  report(`${name}: longest stall of any of 8 clients through 6432, ms`, stalls);
  report(`${name}: longest time without a write of clients that reconnect through 5000, ms`, proxied);
  report(`${name}: failed transactions through 6432, count`, [seen.complaints.length]);
  for (const complaint of new Set([...complaints, ...seen.complaints]))
    process.stdout.write(`${JSON.stringify({ figure: name, complaint })}\n`);
}

interface Change {
  readonly from: number;
  readonly to: number;
  readonly pauseMs: number;
  readonly proxyStallMs: number;
}

async function changeOnce(pgherd: Pgherd, reconnecting: Writers): Promise<Change> {
  reconnecting.mark();
  const from = Date.now();
  const pauseMs = await pgherd.switchOver();
  await delay(calmMs);
  return { from, to: Date.now(), pauseMs, proxyStallMs: reconnecting.report().longestStallMs };
}

/** The promises on the leader's moving, measured: planned under full load, and its PostgreSQL killed with -9. */
export async function benchSwitchover(
  environment: Environment,
  api: Api,
  stack: AsyncDisposableStack,
): Promise<void> {
  const pgherd = await Pgherd.create(environment, api, "bench-switchover", stack);
  await prepareLoad(pgherd.database);
  await benchPlanned(pgherd, "simple");
  await benchPlanned(pgherd, "prepared");
  await pgherd.becomeWhole();
  await measure(pgherd, acts.killed, { runs: kills, until: performance.now() + killsMsMax });
}
