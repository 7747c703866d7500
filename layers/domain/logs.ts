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

export interface NodeLogs {
  readonly nodeId: string;
  readonly page: LogPage;
}

export type ClusterLogLine = LogLine & { readonly nodeId: string };

export interface MergedLogs {
  readonly lines: readonly ClusterLogLine[];
  /** There are lines after the last one, as far as the nodes were asked. */
  readonly isMore: boolean;
}

/**
 * The lines of several nodes in the order of time. A node's own order stays as its journal has it, and nothing is
 * taken that a line which a node could not hand over any more might come before.
 */
export function mergeLogs(nodes: readonly NodeLogs[], limit: number): MergedLogs {
  const queues = nodes.map(({ nodeId, page }) => ({ nodeId, rest: [...page.lines], isMore: page.isMore }));
  const lines: ClusterLogLine[] = [];
  while (lines.length < limit) {
    if (queues.some((queue) => queue.isMore && queue.rest.length === 0)) break;
    const [first] = queues
      .filter((queue) => queue.rest.length > 0)
      .toSorted((left, right) => (left.rest[0]?.micros ?? 0) - (right.rest[0]?.micros ?? 0));
    const line = first?.rest.shift();
    if (first === undefined || line === undefined) break;
    lines.push({ ...line, nodeId: first.nodeId });
  }
  return { lines, isMore: queues.some((queue) => queue.isMore || queue.rest.length > 0) };
}

/** The last lines of several nodes, oldest first. */
export function mergeTails(nodes: readonly NodeLogs[], limit: number): readonly ClusterLogLine[] {
  const all = nodes.map(({ nodeId, page }) => ({ nodeId, page: { ...page, isMore: false } }));
  return mergeLogs(all, Number.POSITIVE_INFINITY).lines.slice(-limit);
}
