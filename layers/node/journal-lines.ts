import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { LogComponent, LogLine } from "../domain/logs.ts";
import { NodeFailure } from "./failure.ts";

const units: Readonly<Record<LogComponent, string>> = {
  postgres: "patroni.service",
  patroni: "patroni.service",
  etcd: "etcd.service",
  haproxy: "haproxy.service",
  pgbouncer: "pgbouncer.service",
};
/** A journal in which a component hardly speaks is not read to its beginning for it. */
const scannedMax = 200_000;
const timeoutMs = 8_000;
/** informational */
const priorityDefault = 6;

/** journald writes bytes that are no text as a list of numbers, and what is too long not at all. */
const messageSchema = z.union([z.string(), z.array(z.int()), z.null()]).default(null);
const entrySchema = z.object({
  __CURSOR: z.string(),
  __REALTIME_TIMESTAMP: z.string(),
  MESSAGE: messageSchema,
  PRIORITY: z.string().optional(),
  _COMM: z.string().optional(),
  _PID: z.string().optional(),
});

interface Entry extends LogLine {
  readonly pid: string | null;
  /** A further line of what its process said before. */
  readonly isContinuation: boolean;
}

/** Patroni's own lines begin with their level (patroni.ts: log.format). */
const patroniLine = /^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL): /;

/** PostgreSQL is Patroni's child and writes into the same unit; a process that ended at once has lost its name. */
function isOf(component: LogComponent, command: string | undefined, message: string): boolean {
  if (component !== "postgres" && component !== "patroni") return true;
  const isPostgres = command === "postgres" || (command === undefined && !patroniLine.test(message));
  return isPostgres === (component === "postgres");
}

function textOf(message: z.infer<typeof messageSchema>): string {
  if (message === null) return "";
  return typeof message === "string" ? message : Buffer.from(message).toString("utf8");
}

function parse(line: string, component: LogComponent): Entry | null {
  const entry = entrySchema.parse(JSON.parse(line));
  const message = textOf(entry.MESSAGE);
  if (!isOf(component, entry._COMM, message)) return null;
  return {
    cursor: entry.__CURSOR,
    micros: Number(entry.__REALTIME_TIMESTAMP),
    priority: Number(entry.PRIORITY ?? priorityDefault),
    message,
    pid: entry._PID ?? null,
    isContinuation: component === "postgres" && message.startsWith("\t"),
  };
}

export interface JournalQuery {
  readonly component: LogComponent;
  readonly after: string | null;
  readonly since: string | null;
  /** Lines that a reader sees; what PostgreSQL writes over several lines is one. */
  readonly limit: number;
}

/** The lines that the query asks for, oldest first; without a beginning, the last ones. */
export async function readJournal(query: JournalQuery): Promise<{ lines: LogLine[]; isMore: boolean }> {
  const isTail = query.after === null && query.since === null;
  const entries: Entry[] = [];
  let heads = 0;
  let isMore = false;
  await scan(argumentsOf(query, isTail), (line) => {
    const entry = parse(line, query.component);
    if (entry === null) return true;
    // Backwards, the first line of a message comes last; forwards, lines that follow the last head still belong to it.
    if (!isTail && !entry.isContinuation && heads === query.limit) {
      isMore = true;
      return false;
    }
    entries.push(entry);
    if (!entry.isContinuation) heads += 1;
    return !isTail || heads < query.limit;
  });
  return { lines: joined(isTail ? entries.toReversed() : entries), isMore };
}

function argumentsOf(query: JournalQuery, isTail: boolean): string[] {
  const fields = "--output-fields=MESSAGE,PRIORITY,_COMM,_PID";
  return [
    ...["--unit", units[query.component], "--output=json", fields, "--no-pager", "--quiet", "--all"],
    ...(isTail ? ["--reverse"] : []),
    ...(query.after === null ? [] : [`--after-cursor=${query.after}`]),
    ...(query.after === null && query.since !== null ? [`--since=@${epochSeconds(query.since)}`] : []),
  ];
}

/** journalctl takes microseconds behind the point. */
const epochSeconds = (time: string): string => (Date.parse(time) / 1000).toFixed(3);

/** Several lines of one message become one; what lacks its beginning is left out. */
function joined(entries: readonly Entry[]): LogLine[] {
  const lines: (LogLine & { pid: string | null })[] = [];
  for (const { isContinuation, ...entry } of entries) {
    if (!isContinuation) {
      lines.push(entry);
      continue;
    }
    const index = lines.findLastIndex((line) => line.pid === entry.pid);
    const head = lines[index];
    if (head === undefined) continue;
    lines[index] = { ...head, cursor: entry.cursor, message: `${head.message}\n${entry.message}` };
  }
  return lines.map(({ pid: _, ...line }) => line);
}

/** Gives lines of journalctl to `take` until it has enough. */
async function scan(args: readonly string[], take: (line: string) => boolean): Promise<void> {
  const child = spawn("journalctl", args, { stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });
  const complaint: Buffer[] = [];
  child.stderr.on("data", (part: Buffer) => complaint.push(part));
  let scanned = 0;
  let isEnough = false;
  for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
    scanned += 1;
    isEnough = !take(line) || scanned >= scannedMax;
    if (isEnough) break;
  }
  if (isEnough) child.kill("SIGKILL");
  const code = await ended;
  if (!isEnough && code !== 0) {
    const said = Buffer.concat(complaint).toString("utf8").trim();
    throw new NodeFailure(`the journal could not be read (${code ?? "too slow"}): ${said}`, {
      code: "journal-unreadable",
    });
  }
}
