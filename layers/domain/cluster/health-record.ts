import { z } from "zod";
import { lastBackupsSchema } from "../backup/due.ts";

/** What was known of a cluster's health last: whoever judges it next tells a change from a state by it. */
export const healthRecordSchema = z.object({
  /** Keys of what the status tells of. */
  findings: z.array(z.string()),
  /** By shard. */
  leaders: z.record(z.string(), z.object({ nodeId: z.string(), timeline: z.int().nullable() })),
  /** Since when a node has given no sign of life. */
  silentSince: z.record(z.string(), z.iso.datetime()),
  /** When the first of the nodes' certificates ends; null as long as nobody knows. */
  certificatesUntil: z.iso.datetime().nullable(),
  /** Every commit up to then is in the WAL archive; null as long as nobody knows. */
  archivedUntil: z.iso.datetime().nullable(),
  lastBackups: lastBackupsSchema,
});
export type HealthRecord = z.infer<typeof healthRecordSchema>;

export const unknownHealth: HealthRecord = {
  findings: [],
  leaders: {},
  silentSince: {},
  certificatesUntil: null,
  archivedUntil: null,
  lastBackups: {},
};
