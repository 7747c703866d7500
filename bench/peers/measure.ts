import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "../../test/e2e/support/wait.ts";
import { lostRows, Writers } from "../../test/e2e/support/writers.ts";
import { quantile } from "../figure.ts";
import type { PeerSystem } from "./system.ts";

/** Medians of so many; PGHERD_BENCH_RUNS asks for another number. */
export const runs = Number(process.env["PGHERD_BENCH_RUNS"] ?? 5);
/** The load runs undisturbed before and after. */
const calmMs = 2_000;
/** repmgrd gives a leader a minute before it acts. */
const recoverySeconds = 180;

/** The same event again and again, each time with new clients and a new table, on a cluster that is whole. */
export async function measure(
  system: PeerSystem,
  name: string,
  event: (system: PeerSystem) => Promise<void>,
): Promise<void> {
  const outages: number[] = [];
  const stalls: number[] = [];
  let failed = 0;
  let lost = 0;
  for (let run = 0; run < runs; run += 1) {
    const table = `beats_${name.replaceAll(" ", "_").toLowerCase()}_${run}`;
    await system.sql(`CREATE TABLE ${table} (client int, id bigint, PRIMARY KEY (client, id))`);
    await using load = Writers.start(system.target, { table });
    await waitFor("every client writes", recoverySeconds, async () =>
      load.haveAllWrittenSince(0) ? true : undefined,
    );
    await delay(calmMs);
    load.mark();
    await event(system);
    const happened = performance.now();
    await waitFor("every client writes again", recoverySeconds, async () =>
      load.haveAllWrittenSince(happened) ? true : undefined,
    );
    await delay(calmMs);
    const report = load.report();
    await load.stop();
    await system.becomeWhole();
    const present = await system.sql(`SELECT client || ' ' || id FROM ${table}`);
    outages.push(report.outageMs);
    stalls.push(report.longestStallMs);
    failed += report.failedTransactions;
    lost += lostRows(load.acknowledgedKeys(), present.split("\n")).length;
  }
  print(`${system.name}: ${name}`, { outages, stalls, failed, lost });
}

function print(
  figure: string,
  of: { outages: number[]; stalls: number[]; failed: number; lost: number },
): void {
  const median = (values: readonly number[]) =>
    Math.round(
      quantile(
        values.toSorted((a, b) => a - b),
        0.5,
      ),
    );
  const line = {
    figure,
    samples: of.outages.length,
    nobodyWritesMsMedian: median(of.outages),
    nobodyWritesMsWorst: Math.round(Math.max(...of.outages)),
    longestStallMsMedian: median(of.stalls),
    longestStallMsWorst: Math.round(Math.max(...of.stalls)),
    failedTransactions: of.failed,
    lostRows: of.lost,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
