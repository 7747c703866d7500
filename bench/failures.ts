import { setTimeout as delay } from "node:timers/promises";
import { failoverTiming } from "../layers/domain/config/index.ts";
import { cutOff, killForGood, pullPlug, signal } from "../test/e2e/support/accidents.ts";
import type { Api } from "../test/e2e/support/api.ts";
import type { Environment } from "../test/e2e/support/environment.ts";
import { waitFor } from "../test/e2e/support/wait.ts";
import { lostRows, Writers } from "../test/e2e/support/writers.ts";
import { report } from "./figure.ts";
import { runs } from "./peers/measure.ts";
import { Pgherd, type Way } from "./peers/pgherd.ts";

type Profile = keyof typeof failoverTiming;
/** Mends what does not mend itself. */
type Mend = () => Promise<void>;

const nothing: Mend = async () => undefined;
const ways = { direct: "clients with several hosts (5432)", readWrite: "5000", pooled: "6432" } as const;
/** Writers of each way in have numbers of their own: they share a table. */
const numbersFrom = { direct: 0, readWrite: 100, pooled: 200 } as const satisfies Record<Way, number>;
/** The load runs undisturbed before and after. */
const calmMs = 2_000;
const recoverySeconds = 180;
const msPerSecond = 1_000;

interface Accident {
  readonly happen: (system: Pgherd) => Promise<Mend>;
  /** PostgreSQL may go on for a while, and what the accident does to its clients begins when the leader changes. */
  readonly movesLeader: boolean;
}

const accidents: Readonly<Record<string, Accident>> = {
  "leader's PostgreSQL killed": {
    happen: (system) => system.killPostgres().then(() => nothing),
    movesLeader: false,
  },
  "leader's Patroni killed for good": {
    happen: async (system) => killForGood(await system.leaderAddress(), "patroni.service"),
    movesLeader: true,
  },
  "leader's Patroni hangs": {
    happen: async (system) => signal(await system.leaderAddress(), "patroni", "SIGSTOP").then(() => nothing),
    movesLeader: true,
  },
  "leader's machine killed": {
    happen: async (system) => pullPlug(await system.leaderAddress()).then(() => nothing),
    movesLeader: true,
  },
  "leader's network cut": {
    happen: async (system) => cutOff([await system.leaderAddress()]),
    movesLeader: true,
  },
};

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

async function measureAccident(system: Pgherd, profile: Profile, name: string, accident: Accident) {
  const outages: Record<Way, number[]> = { direct: [], readWrite: [], pooled: [] };
  let lost = 0;
  for (let run = 0; run < runs; run += 1) {
    const table = `beats_${name.replaceAll(/[^a-z]/gi, "_").toLowerCase()}_${run}`;
    await system.becomeWhole();
    const leader = await system.leaderAddress();
    const loads = await startLoads(system, table);
    for (const [, load] of loads) load.mark();
    const mend = await accident.happen(system);
    try {
      if (accident.movesLeader) await anotherLeads(system, leader);
      await allWrite(loads, performance.now());
      await delay(calmMs);
      for (const [way, load] of loads) outages[way].push(load.report().outageMs);
    } finally {
      await mend();
    }
    lost += await endLoads(system, loads, table);
  }
  for (const way of Object.keys(ways) as Way[]) {
    report(`${profile}: ${name}: nobody wrote through ${ways[way]}, ms`, outages[way]);
  }
  report(`${profile}: ${name}: acknowledged rows lost in ${runs} runs, count`, [lost]);
}

/** A stall as long as these shares of the leader key's life. */
const stallShares = [0.15, 0.25, 0.35, 0.45, 0.6, 0.8] as const;

interface Stall {
  readonly begin: (system: Pgherd) => Promise<Mend>;
}

const stalls: Readonly<Record<string, Stall>> = {
  "network of the leader's machine": {
    begin: async (system) => cutOff([await system.leaderAddress()]),
  },
  "every etcd member": {
    begin: async (system) => {
      const addresses = system.cluster.nodes.flatMap(({ address }) => address ?? []);
      await Promise.all(addresses.map((address) => signal(address, "etcd", "SIGSTOP")));
      return async () => {
        await Promise.all(addresses.map((address) => signal(address, "etcd", "SIGCONT")));
      };
    },
  },
};

/** Stalls of growing length, until one costs the leader: the longest that did not. Every length is tried `runs` times. */
async function measureStall(system: Pgherd, profile: Profile, name: string, stall: Stall): Promise<void> {
  const { ttl } = failoverTiming[profile];
  let ridden = 0;
  for (const share of stallShares) {
    const stallMs = share * ttl * msPerSecond;
    for (let run = 0; run < runs; run += 1) {
      await system.becomeWhole();
      const leader = await system.leaderAddress();
      const end = await stall.begin(system);
      await delay(stallMs).finally(end);
      // A leader that gave up, or was given up, is known once the cluster is whole.
      await system.becomeWhole();
      if ((await system.leaderAddress()) !== leader) {
        report(`${profile}: longest stall of ${name} that cost no leader, ms`, [ridden]);
        report(`${profile}: shortest stall of ${name} that cost one, ms`, [stallMs]);
        return;
      }
    }
    ridden = stallMs;
  }
  report(`${profile}: longest stall of ${name} that was tried, none cost a leader, ms`, [ridden]);
}

/** What goes wrong by itself, under load, with one profile: how long nobody writes, what is lost, what is ridden out. */
export function benchFailures(profile: Profile) {
  return async (environment: Environment, api: Api, stack: AsyncDisposableStack): Promise<void> => {
    const system = await Pgherd.create(environment, api, `bench-${profile}`, stack, {
      failover: { profile },
    });
    for (const [name, accident] of Object.entries(accidents)) {
      await measureAccident(system, profile, name, accident);
    }
    for (const [name, stall] of Object.entries(stalls)) await measureStall(system, profile, name, stall);
  };
}
