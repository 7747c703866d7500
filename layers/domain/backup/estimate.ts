import { z } from "zod";
import type { Backup } from "./backup.ts";
import { secondsBetween } from "./instant.ts";

/** Three machines from the call to `available` without any data: measured, docs/benchmarks.md. */
const makeSeconds = 15;
/**
 * A restore writes what a backup read, through the same decryption and decompression and the same S3: where the cluster
 * has no backup that says how fast that was, this is what one process gets done on a small machine.
 */
const copyBytesPerSecondUsual = 40 * 1024 ** 2;
/** A shorter backup says more of its beginning and end than of its copying. */
const measuredSecondsMin = 10;
/** One process replays, and fetches each segment before it: far less than a volume could write. */
const replayBytesPerSecond = 30 * 1024 ** 2;

export const restoreEstimateSchema = z.object({
  /** From the call to `available`. */
  seconds: z.int().min(0),
  copySeconds: z.int().min(0),
  replaySeconds: z.int().min(0),
  basis: z.string(),
});
export type RestoreEstimate = z.infer<typeof restoreEstimateSchema>;

/** Null: no backup of the cluster took long enough to tell. */
function measuredRate(backups: readonly Backup[]): number | null {
  const rates = backups.flatMap(({ endedAt, sizeBytes, startedAt, state, type }) => {
    if (state !== "succeeded" || type !== "full" || endedAt === null || sizeBytes === null) return [];
    const seconds = secondsBetween(startedAt, endedAt);
    return seconds < measuredSecondsMin || sizeBytes === 0 ? [] : [sizeBytes / seconds];
  });
  return rates.at(-1) ?? null;
}

/** How long a restore takes, as far as anybody can say before. */
export function estimateRestore(
  { sizeBytes }: Pick<Backup, "sizeBytes">,
  walBytes: number | null,
  backups: readonly Backup[],
): RestoreEstimate {
  const measured = measuredRate(backups);
  const copySeconds = Math.ceil((sizeBytes ?? 0) / (measured ?? copyBytesPerSecondUsual));
  const replaySeconds = Math.ceil((walBytes ?? 0) / replayBytesPerSecond);
  const copied = measured === null ? "at a usual rate" : "as fast as the last full backup was taken";
  const replayed =
    walBytes === null ? "WAL not counted, because nobody knows how much it is" : "WAL at a usual rate";
  return {
    seconds: makeSeconds + copySeconds + replaySeconds,
    copySeconds,
    replaySeconds,
    basis: `An estimate: ${makeSeconds} s for machines and software, data copied ${copied}, ${replayed}; replicas clone beside it.`,
  };
}
