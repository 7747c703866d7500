import { setTimeout as delay } from "node:timers/promises";
import { Load, type LoadReport } from "../../test/e2e/support/load.ts";
import { quantile, report, runsOr } from "../figure.ts";
import { usualWay } from "./others.ts";
import type { Place } from "./place.ts";
import { takeFull } from "./taking.ts";

const runs = runsOr(3);
/** Caches are warm, and everybody is logged in. */
const warmUpMs = 20_000;
/** Before the first backup, between two, and after the last one. */
const calmMs = 30_000;
/** What two cores bear easily beside a backup: what it does to each transaction, and not to the last reserves. */
const pacedTransactionsPerSecond = 100;
const msPerSecond = 1_000;

interface Span {
  readonly from: number;
  readonly to: number;
}

interface Disturbance {
  readonly name: string;
  readonly happen: (place: Place) => Promise<unknown>;
}

const disturbances: readonly Disturbance[] = [
  { name: "pgherd's backup, from a replica", happen: takeFull },
  {
    name: `${usualWay.name}, from the leader`,
    happen: async ({ pgherd }) => usualWay.take(await pgherd.leaderAddress()),
  },
];

/** pgbench through the poolers of all nodes, without a pause and then at a pace, with and without a backup beside it. */
export async function benchDisturbing(place: Place): Promise<void> {
  for (const pace of [null, pacedTransactionsPerSecond])
    for (const disturbance of disturbances) await disturb(place, disturbance, pace);
}

async function disturb(place: Place, disturbance: Disturbance, pace: number | null): Promise<void> {
  await place.settle();
  await using load = await Load.start(place.pgherd.database, {
    protocol: "prepared",
    addresses: place.pgherd.addresses,
    transactionsPerSecond: pace,
  });
  await delay(warmUpMs);
  const calm = [await spanOf(() => delay(calmMs))];
  const busy: Span[] = [];
  for (let run = 0; run < runs; run += 1) {
    busy.push(await spanOf(() => disturbance.happen(place)));
    calm.push(await spanOf(() => delay(calmMs)));
  }
  const seen = await load.end();
  const how = pace === null ? "without a pause" : `at ${pace} a second`;
  reportDisturbance(`backup: pgbench ${how} beside ${disturbance.name}`, seen, { busy, calm });
}

async function spanOf(work: () => Promise<unknown>): Promise<Span> {
  const from = Date.now();
  await work();
  return { from, to: Date.now() };
}

/** Each backup against the calm right before and after it: what drifts meanwhile is not the backup's. */
function reportDisturbance(
  name: string,
  seen: LoadReport,
  { busy, calm }: { readonly busy: readonly Span[]; readonly calm: readonly Span[] },
): void {
  const rate = (span: Span): number => rateIn(seen, span);
  report(`${name}: calm, transactions a second`, calm.map(rate));
  report(`${name}: busy, transactions a second`, busy.map(rate));
  const losses = busy.map((span, index) => {
    const around = calm.slice(index, index + 2).map(rate);
    const usual = around.reduce((sum, one) => sum + one, 0) / around.length;
    return 100 * (1 - rate(span) / usual);
  });
  report(`${name}: lost throughput, %`, losses);
  for (const [what, q] of [
    ["median", 0.5],
    ["p99", 0.99],
  ] as const) {
    report(
      `${name}: calm, ${what} of a transaction, ms`,
      calm.map((span) => latencyIn(seen, span, q)),
    );
    report(
      `${name}: busy, ${what} of a transaction, ms`,
      busy.map((span) => latencyIn(seen, span, q)),
    );
  }
  for (const complaint of new Set(seen.complaints))
    process.stdout.write(`${JSON.stringify({ figure: name, complaint })}\n`);
}

const endedIn = ({ transactions }: LoadReport, { from, to }: Span): LoadReport["transactions"] =>
  transactions.filter(({ endedMs }) => endedMs >= from && endedMs < to);

const rateIn = (seen: LoadReport, span: Span): number =>
  endedIn(seen, span).length / ((span.to - span.from) / msPerSecond);

function latencyIn(seen: LoadReport, span: Span, q: number): number {
  const times = endedIn(seen, span).map(({ beganMs, endedMs }) => endedMs - beganMs);
  return quantile(
    times.toSorted((left, right) => left - right),
    q,
  );
}
