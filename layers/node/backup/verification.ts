import { nodePaths, verificationUnit } from "../../domain/config/index.ts";
import type { VerificationStanding } from "../../domain/node/drill-verbs.ts";
import { run } from "../process.ts";
import { background, lastLines, outcomeOf, startUnit, stopUnit } from "../transient-unit.ts";
import { complaintIn, verifyArguments } from "./pgbackrest.ts";

/** Two lines for each backup that can be kept, and what it complained of. */
const linesMax = 8_000;

const backupLine = /^\s*backup: (\S+), status: ([a-z- ]+), /;
const archiveLine = /^\s*archiveId: \S+, total WAL checked: (\d+), total valid WAL: (\d+)/;
const statusLine = /^\s*status: (ok|error)/;
const countsLine = /^\s*missing: (\d+), checksum invalid: (\d+), size invalid: (\d+), other: (\d+)/;
const soundStates = ["valid", "in-progress"];
/** As many as a person wants to read; the node's log has all. */
const namedMax = 5;

interface Verified {
  readonly found: NonNullable<VerificationStanding["found"]>;
  readonly message: string | null;
}

/**
 * What `pgbackrest verify` has found; null: it did not come to its end. It takes a WAL segment that was archived twice
 * for an error and leaves it out of its numbers; so those count, and an error that none of them explains.
 */
export function verificationIn(all: readonly string[]): Verified | null {
  const lines = all.slice(
    Math.max(
      0,
      all.findLastIndex((line) => line.startsWith("stanza: ")),
    ),
  );
  const backups = lines.flatMap((line) => {
    const [, label, state] = backupLine.exec(line) ?? [];
    return label === undefined || state === undefined ? [] : [{ label, state }];
  });
  const archives = lines.flatMap((line) => {
    const [, checked, valid] = archiveLine.exec(line) ?? [];
    return checked === undefined ? [] : [{ checked: Number(checked), valid: Number(valid) }];
  });
  const [status = null] = lines.flatMap((line) => statusLine.exec(line)?.[1] ?? []);
  if (status === null) return null;
  const unsound = backups.filter(({ state }) => !soundStates.includes(state));
  const bad = sumOf(lines);
  const said = [
    ...unsound.slice(0, namedMax).map(({ label, state }) => `backup ${label} is ${state}`),
    ...(unsound.length > namedMax ? [`${unsound.length - namedMax} more backups are not valid`] : []),
    ...(bad.length === 0 ? [] : [`of what is stored, ${bad.join(", ")}`]),
  ];
  const hasTwice = archives.some(({ checked, valid }) => checked > valid);
  if (status === "error" && said.length === 0 && !hasTwice) {
    said.push(complaintIn(all) ?? "pgBackRest finds errors, and does not say which");
  }
  const walSegments = archives.reduce((sum, { checked }) => sum + checked, 0);
  return {
    found: { ok: said.length === 0, backups: backups.length, walSegments },
    message: said.length === 0 ? null : said.join("; "),
  };
}

const reasons = ["missing", "damaged", "of a wrong size", "unreadable"] as const;

/** "2 files are missing", for each reason that there is. */
function sumOf(lines: readonly string[]): string[] {
  const sums = [0, 0, 0, 0];
  for (const line of lines) {
    const [, ...counts] = countsLine.exec(line) ?? [];
    counts.forEach((count, index) => {
      sums[index] = (sums[index] ?? 0) + Number(count);
    });
  }
  return reasons.flatMap((reason, index) => {
    const sum = sums[index] ?? 0;
    return sum === 0 ? [] : [`${sum} ${sum === 1 ? "file is" : "files are"} ${reason}`];
  });
}

/** Its outcome stays until the machine restarts or somebody asks for another one. */
export async function beginVerification(operationId: string): Promise<void> {
  const properties = [
    ...background,
    "RemainAfterExit=yes",
    "User=postgres",
    "Group=postgres",
    "SyslogIdentifier=pgbackrest",
    `ReadWritePaths=${nodePaths.backup}`,
  ];
  const unit = verificationUnit(operationId);
  await stopUnit(unit);
  await startUnit(unit, properties, verifyArguments);
}

export async function verificationStanding(operationId: string): Promise<VerificationStanding> {
  const unit = verificationUnit(operationId);
  const outcome = await outcomeOf(unit);
  if (outcome === "running" || outcome === "absent") return { state: outcome, message: null, found: null };
  // What was written last may be on its way still, and to read everything once more would take hours.
  await run("journalctl", ["--sync"]);
  const lines = await lastLines(unit, linesMax);
  const verified = verificationIn(lines);
  if (verified !== null) return { state: "done", ...verified };
  const message = complaintIn(lines) ?? "pgBackRest ended without a word";
  return { state: "failed", message, found: null };
}

export const stopVerification = (operationId: string): Promise<void> =>
  stopUnit(verificationUnit(operationId));
