import { z } from "zod";
import type { ClusterSpec } from "../cluster/spec.ts";
import { backupIdSchema, clusterIdSchema } from "../ids.ts";
import { settleParameters } from "../postgres/spec-parameters.ts";
import type { FieldError } from "../problems.ts";
import type { Backup } from "./backup.ts";
import { instantOf, partsOf } from "./instant.ts";
import { backupStoreSchema } from "./store.ts";
import { archiveFirstSchema, type RestoreTarget, restoreTargetSchema } from "./target.ts";

/** Where the data of a new cluster comes from: a part of what its nodes are told. */
export const restoreSourceSchema = z.strictObject({
  clusterId: clusterIdSchema,
  shard: z.int().min(0),
  backupId: backupIdSchema,
  label: z.string().regex(/^[0-9]{8}-[0-9]{6}F(?:_[0-9]{8}-[0-9]{6}[DI])?$/),
  target: restoreTargetSchema,
  /** Up to the target and not with it. */
  exclusive: z.boolean(),
  /** The timeline to follow; left out: the newest one. */
  timeline: z.int().min(1).optional(),
});
export type RestoreSource = z.infer<typeof restoreSourceSchema>;

/** `Operation.request` of a restore. */
export const restoreRequestSchema = z.strictObject({
  ...restoreSourceSchema.shape,
  /** What the leader of the source does before; left out: nothing. */
  archiveFirst: archiveFirstSchema.optional(),
  /** Where the backup is; left out: in the environment's bucket. */
  store: backupStoreSchema.optional(),
});
export type RestoreRequest = z.infer<typeof restoreRequestSchema>;

/** Where a cluster's backups are, as requests have it. */
export const storeOf = ({ spec }: { readonly spec: ClusterSpec }): Pick<RestoreRequest, "store"> =>
  spec.backup.store === null ? {} : { store: spec.backup.store };

/** PostgreSQL's settings that say where a recovery ends. It fails where it does not get there. */
export function recoverySettings({
  exclusive,
  target,
  timeline,
}: Pick<RestoreSource, "target" | "exclusive" | "timeline">): Record<string, string> {
  const line = { recovery_target_timeline: timeline === undefined ? "latest" : String(timeline) };
  const ending = { recovery_target_action: "promote", ...line };
  if (target === "latest") return line;
  if (target === "immediate") return { ...ending, recovery_target: "immediate" };
  const inclusive = { ...ending, recovery_target_inclusive: String(!exclusive) };
  if ("time" in target) return { ...inclusive, recovery_target_time: postgresTime(target.time) };
  if ("lsn" in target) return { ...inclusive, recovery_target_lsn: target.lsn };
  if ("xid" in target) return { ...inclusive, recovery_target_xid: target.xid };
  return { ...ending, recovery_target_name: target.name };
}

/** In UTC and to the microsecond, whatever zone it was said in. */
export function postgresTime(time: string): string {
  const { date, fraction, timeOfDay } = partsOf(instantOf(time));
  return `${date} ${timeOfDay}.${fraction}+00`;
}

const bytesPerGiB = 1024 ** 3;
/** WAL and what a recovery writes need room beside the data. */
const dataShareMax = 0.8;
/** A recovery stops where these are lower than they were when the WAL was written. */
const notLower = [
  "max_connections",
  "max_worker_processes",
  "max_wal_senders",
  "max_prepared_transactions",
  "max_locks_per_transaction",
] as const;

/**
 * Why the data of a backup does not fit into a cluster of this spec. Paths are below the new cluster's body. Where no WAL
 * is replayed, only the volume counts.
 */
export function checkRoom(
  spec: ClusterSpec,
  source: ClusterSpec,
  { engine, sizeBytes }: Pick<Backup, "engine" | "sizeBytes">,
): FieldError[] {
  const errors: FieldError[] = [];
  const needed = Math.ceil((sizeBytes ?? 0) / bytesPerGiB / dataShareMax);
  if (spec.storage.sizeGiB < needed) {
    errors.push({
      path: "/storage/sizeGiB",
      message: `must be at least ${needed}: the backup has ${Math.ceil((sizeBytes ?? 0) / bytesPerGiB)} GiB of data, and WAL needs room beside it`,
    });
  }
  if (engine === "pg_dump") return errors;
  const [now, before] = [settleParameters(spec).shared, settleParameters(source).shared];
  for (const name of notLower) {
    if (Number(now[name]) >= Number(before[name])) continue;
    errors.push({
      path: `/parameters/${name}`,
      message: `must be at least ${before[name]}, as in the cluster that the WAL comes from (here it would be ${now[name]}): PostgreSQL stops a recovery otherwise`,
    });
  }
  return errors;
}

/** A target in a sentence. */
export function targetText(target: RestoreTarget): string {
  if (target === "latest") return "the end of its WAL";
  if (target === "immediate") return "the end of the backup";
  if ("time" in target) return target.time;
  if ("lsn" in target) return `LSN ${target.lsn}`;
  return "xid" in target ? `transaction ${target.xid}` : `restore point "${target.name}"`;
}
