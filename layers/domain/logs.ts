import { z } from "zod";

export const logComponentSchema = z.enum(["postgres", "patroni", "etcd", "haproxy", "pgbouncer"]);
export type LogComponent = z.infer<typeof logComponentSchema>;

/** Lines per call. */
export const logLinesMax = 1000;

/** A line of a node's journal. */
export const logLineSchema = z.strictObject({
  /** Where it is in the node's journal. */
  cursor: z.string(),
  /** Microseconds since 1970, as the journal has it. */
  micros: z.int().min(0),
  /** syslog's: 0 emergency … 7 debug. */
  priority: z.int().min(0).max(7),
  message: z.string(),
});
export type LogLine = z.infer<typeof logLineSchema>;

export const logPageSchema = z.strictObject({
  lines: z.array(logLineSchema),
  /** There are later lines that did not fit. */
  isMore: z.boolean(),
});
export type LogPage = z.infer<typeof logPageSchema>;
