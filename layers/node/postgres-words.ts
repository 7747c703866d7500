import { redact } from "../domain/log-redaction.ts";
import { run } from "./process.ts";

/** Severities with which a start ends, and what PostgreSQL adds to explain them. */
const reason =
  /\b(?:FATAL|PANIC): |\b(?:DETAIL|HINT): |invalid value for parameter|unrecognized configuration/;
/** `2026-03-04 10:20:30.456 UTC [123] `: log_line_prefix. */
const prefix = /^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] (?:\S*@\S* )?/;
/** A client that knocks while PostgreSQL starts is told so; that is no reason. */
const noise = /the database system is (?:starting up|shutting down|not yet accepting connections)/;
const wordsMax = 4;
const linesMax = "400";

/** Why PostgreSQL does not run, in its own words; the latest reason where it tried several times. */
export function postgresWords(lines: readonly string[]): string | null {
  const found = lines
    .filter((line) => reason.test(line) && !noise.test(line))
    .map((line) => redact(line.replace(prefix, "").trim()));
  const distinct = found.filter((line, index) => found.indexOf(line) === index);
  return distinct.length === 0 ? null : distinct.slice(-wordsMax).join("; ");
}

/** What PostgreSQL has said of its troubles since then. */
export async function postgresWordsSince(since: Date): Promise<string> {
  const seconds = Math.floor(since.getTime() / 1000);
  const { stdout } = await run("journalctl", [
    "--unit=patroni.service",
    `--since=@${seconds}`,
    `--lines=${linesMax}`,
    "--output=cat",
    "--no-pager",
    "--quiet",
  ]);
  return postgresWords(stdout.split("\n")) ?? "it gave no reason; the node's log says more";
}
