/** One measured figure: its samples boiled down. Times in milliseconds, memory in MiB, as the name's suffix says. */
export interface Figure {
  readonly figure: string;
  readonly samples: number;
  readonly min: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** How often something is measured: so often, or as PGHERD_BENCH_RUNS says. */
export function runsOr(usual: number): number {
  return Number(process.env["PGHERD_BENCH_RUNS"] ?? usual);
}

/** Nearest-rank quantile of samples in ascending order. */
export function quantile(sorted: readonly number[], q: number): number {
  const rank = Math.max(1, Math.ceil(q * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** Prints the figure as one JSON line and returns it. */
export function report(name: string, samples: readonly number[]): Figure {
  const sorted = samples.toSorted((a, b) => a - b);
  const figure: Figure = {
    figure: name,
    samples: sorted.length,
    min: round(sorted[0] ?? Number.NaN),
    median: round(quantile(sorted, 0.5)),
    p99: round(quantile(sorted, 0.99)),
    max: round(sorted.at(-1) ?? Number.NaN),
  };
  process.stdout.write(`${JSON.stringify(figure)}\n`);
  return figure;
}

/** Runs `work` and returns how long it took, in milliseconds. */
export async function stopwatch(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
