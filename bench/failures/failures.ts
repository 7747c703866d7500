import { setTimeout as delay } from "node:timers/promises";
import { failoverTiming } from "../../layers/domain/config/index.ts";
import type { Api } from "../../test/e2e/support/api.ts";
import type { Environment } from "../../test/e2e/support/environment.ts";
import { waitFor } from "../../test/e2e/support/wait.ts";
import { lostRows, Writers } from "../../test/e2e/support/writers.ts";
import { report } from "../figure.ts";
import { runs } from "../peers/measure.ts";
import { Pgherd, type Way } from "../peers/pgherd.ts";
import { type Accident, accidents } from "./accidents.ts";
import { measureStall, stalls } from "./stalls.ts";

type Profile = keyof typeof failoverTiming;

const ways = { direct: "clients with several hosts (5432)", readWrite: "5000", pooled: "6432" } as const;
/** Writers of each way in have numbers of their own: they share a table. */
const numbersFrom = { direct: 0, readWrite: 100, pooled: 200 } as const satisfies Record<Way, number>;
/** The load runs undisturbed before and after. */
const calmMs = 2_000;
const recoverySeconds = 180;
const msPerSecond = 1_000;
/** A key that is not renewed ends within its ttl, and a loop passes until somebody looks. */
const afterExpiryMs = 4_000;

/** Load through every way in, on a table of its own. */
async function startLoads(system: Pgherd, table: string): Promise<[Way, Writers][]> {
  await system.sql(`CREATE TABLE ${table} (client int, id bigint, PRIMARY KEY (client, id))`);
  const names = Object.keys(ways) as Way[];
  const loads = names.map((way): [Way, Writers] => [
    way,
    Writers.start(system.targetOf(way), { table, writers: 2, pauseMs: 10 }, numbersFrom[way]),
  ]);
  await allWrite(loads, 0);
  await delay(calmMs);
  return loads;
}

async function allWrite(loads: readonly [Way, Writers][], since: number): Promise<void> {
  await waitFor("every client writes", recoverySeconds, async () =>
    loads.every(([, load]) => load.haveAllWrittenSince(since)) ? true : undefined,
  );
}

/** Stops the load; says how many acknowledged rows are gone. */
async function endLoads(system: Pgherd, loads: readonly [Way, Writers][], table: string): Promise<number> {
  await Promise.all(loads.map(([, load]) => load.stop()));
  await system.becomeWhole();
  const present = (await system.sql(`SELECT client || ' ' || id FROM ${table}`)).split("\n");
  return lostRows(
    loads.flatMap(([, load]) => load.acknowledgedKeys()),
    present,
  ).length;
}

async function anotherLeads(system: Pgherd, than: string): Promise<void> {
  await waitFor("another member leads", recoverySeconds, async () =>
    (await system.leaderAddress()) === than ? undefined : true,
  );
}

/** Returns when the accident has shown all that it does to clients. */
async function watch(system: Pgherd, profile: Profile, accident: Accident, leader: string): Promise<void> {
  if (accident.watched === "takeover") await anotherLeads(system, leader);
  if (accident.watched === "expiry") await delay(failoverTiming[profile].ttl * msPerSecond + afterExpiryMs);
}

async function measureAccident(
  environment: Environment,
  system: Pgherd,
  profile: Profile,
  name: string,
  accident: Accident,
): Promise<void> {
  const outages: Record<Way, number[]> = { direct: [], readWrite: [], pooled: [] };
  let lost = 0;
  for (let run = 0; run < runs; run += 1) {
    const table = `beats_${name.replaceAll(/[^a-z]/gi, "_").toLowerCase()}_${run}`;
    await system.becomeWhole();
    const leader = await system.leaderAddress();
    const loads = await startLoads(system, table);
    for (const [, load] of loads) load.mark();
    const mend = await accident.happen(system, environment);
    if (accident.watched === "mended") await mend();
    try {
      await watch(system, profile, accident, leader);
      await allWrite(loads, performance.now());
      await delay(calmMs);
      for (const [way, load] of loads) outages[way].push(load.report().outageMs);
    } finally {
      if (accident.watched !== "mended") await mend();
    }
    lost += await endLoads(system, loads, table);
  }
  for (const way of Object.keys(ways) as Way[]) {
    report(`${profile}: ${name}: nobody wrote through ${ways[way]}, ms`, outages[way]);
  }
  report(`${profile}: ${name}: acknowledged rows lost in ${runs} runs, count`, [lost]);
}

/** Whose names contain the words of PGHERD_BENCH_ONLY; all, if there are none. */
function asked<T>(all: Readonly<Record<string, T>>): [string, T][] {
  const words = process.env["PGHERD_BENCH_ONLY"] ?? "";
  return Object.entries(all).filter(([name]) => words.split("|").some((word) => name.includes(word)));
}

/** What goes wrong by itself, under load, with one profile: how long nobody writes, what is lost, what is ridden out. */
export function benchFailures(profile: Profile) {
  return async (environment: Environment, api: Api, stack: AsyncDisposableStack): Promise<void> => {
    const system = await Pgherd.create(environment, api, `bench-${profile}`, stack, {
      failover: { profile },
    });
    for (const [name, accident] of asked(accidents)) {
      await measureAccident(environment, system, profile, name, accident);
    }
    for (const [name, stall] of asked(stalls)) await measureStall(system, profile, name, stall);
  };
}
