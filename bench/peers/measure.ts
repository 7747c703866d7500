import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "../../test/e2e/support/wait.ts";
import { lostRows, Writers } from "../../test/e2e/support/writers.ts";
import { quantile, runsOr } from "../figure.ts";
import type { Act, PeerSystem, WayIn } from "./system.ts";

/** Medians of so many. */
export const runs = runsOr(5);
/** Divided over the ways in that a system offers: each system bears the same load. */
const clientsTotal = 6;
/** Some 200 transactions a second: two cores that everything shares are not to be the limit. */
const pauseMs = 20;
/** The load runs undisturbed before and after. */
const calmMs = 1_500;
/** repmgrd gives a leader a minute before it acts, pg_auto_failover nearly as long. */
const recoverySeconds = 120;
/** A complaint is a sentence or two; what a command printed besides is in its journal. */
const complaintCharactersMax = 600;

interface Sample {
  readonly outageMs: number;
  readonly longestStallMs: number;
  readonly failedTransactions: number;
  readonly lostRows: number;
}

export interface MeasureOptions {
  readonly runs: number;
  /** From here on (of `performance.now()`) no further run begins. */
  readonly until: number;
}

/**
 * The same act again and again, each time with new clients and a new table, on a system that is whole. A run that
 * fails is counted in the figure with the system's own words.
 * @throws when the system does not become whole again.
 */
export async function measure(system: PeerSystem, act: Act, options: MeasureOptions): Promise<void> {
  const samples: Sample[][] = [];
  const complaints: string[] = [];
  try {
    for (let run = 0; run < options.runs; run += 1) {
      if (performance.now() > options.until) {
        complaints.push(`no time was left for ${options.runs - run} of ${options.runs} runs`);
        break;
      }
      try {
        samples.push(await happenOnce(system, act, run));
      } catch (error) {
        complaints.push(inWords(error));
        await system.becomeWhole();
      }
    }
  } finally {
    for (const [index, way] of system.ways.entries()) {
      const own = samples.flatMap((sample) => sample[index] ?? []);
      print(`${system.name}, ${way.name}: ${act.name}`, own, complaints);
    }
  }
}

/** What one act did to the clients of each way in. */
async function happenOnce(system: PeerSystem, act: Act, run: number): Promise<Sample[]> {
  const table = `beats_${act.name.replaceAll(" ", "_").toLowerCase()}_${run}`;
  await system.sql(`DROP TABLE IF EXISTS ${table}`);
  await system.sql(`CREATE TABLE ${table} (client int, id bigint, PRIMARY KEY (client, id))`);
  await using stack = new AsyncDisposableStack();
  const loads = system.ways.map((way, index) => stack.use(startLoad(system, way, index, table)));
  await allWriteSince(loads, 0);
  await delay(calmMs);
  for (const load of loads) load.mark();
  await act.happen(system);
  await allWriteSince(loads, performance.now());
  await delay(calmMs);
  // Whoever wrote in the very moment of the act may have stood still since.
  await allWriteSince(loads, performance.now());
  const reports = loads.map((load) => load.report());
  await Promise.all(loads.map((load) => load.stop()));
  await system.becomeWhole();
  const present = (await system.sql(`SELECT client || ' ' || id FROM ${table}`)).split("\n");
  return reports.map((report, index) => ({
    ...report,
    lostRows: lostRows(loads[index]?.acknowledgedKeys() ?? [], present).length,
  }));
}

function startLoad(system: PeerSystem, way: WayIn, index: number, table: string): Writers {
  const writers = Math.floor(clientsTotal / system.ways.length);
  return Writers.start(way.target, { table, writers, pauseMs }, index * writers);
}

async function allWriteSince(loads: readonly Writers[], at: number): Promise<void> {
  await waitFor("every client writes", recoverySeconds, async () =>
    loads.every((load) => load.haveAllWrittenSince(at)) ? true : undefined,
  );
}

/** An error as a line of the bench's output has it, with what caused it. */
export function inWords(error: unknown): string {
  const words: string[] = [];
  for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined)
    words.push(at instanceof Error ? at.message : String(at));
  return words.join(": ").slice(0, complaintCharactersMax);
}

function print(figure: string, samples: readonly Sample[], complaints: readonly string[]): void {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const median = (values: readonly number[]) => {
    const sorted = values.toSorted((left, right) => left - right);
    return Math.round(quantile(sorted, 0.5));
  };
  const stalls = samples.map(({ longestStallMs }) => longestStallMs);
  const outages = samples.map(({ outageMs }) => outageMs);
  const line = {
    figure,
    samples: samples.length,
    ...(samples.length === 0
      ? {}
      : {
          longestStallMsMedian: median(stalls),
          longestStallMsWorst: Math.round(Math.max(...stalls)),
          nobodyWritesMsMedian: median(outages),
          nobodyWritesMsWorst: Math.round(Math.max(...outages)),
          failedTransactions: sum(samples.map(({ failedTransactions }) => failedTransactions)),
          lostRows: sum(samples.map(({ lostRows: lost }) => lost)),
        }),
    ...(complaints.length === 0 ? {} : { complaints }),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
