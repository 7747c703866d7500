import { z } from "zod";
import type { BackupProgress } from "../../domain/backup/backup.ts";
import { type RepositoryBackup, repositoryBackupSchema } from "../../domain/backup/repository.ts";
import { backupAnnotation, configurationFiles, stanza } from "../../domain/config/index.ts";
import { prefixed } from "../../domain/ids.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { anyExitCode, type RunResult, runAs } from "../process.ts";

const program = "/usr/bin/pgbackrest";

/** Arguments that every call has. */
export const commonArguments: readonly string[] = [
  `--config=${configurationFiles.pgbackrest}`,
  `--stanza=${stanza}`,
];

/** Reading what the repository has: some objects over a slow line. */
const infoTimeoutMs = 60_000;

/** What it complains of, without its own numbers and hints. */
const complaint = /^(?:P\d+\s+)?ERROR: \[(\d+)\]: (.*)$/;
/** Only says that there were others before. */
const sumOfErrors = "104";
/** What explains an error follows it, indented. */
const continuation = /^\s{2,}(.*)$/;
const complaintLinesMax = 4;

/** Why pgBackRest ended, in its own words; null where it complained of nothing. */
export function complaintIn(lines: readonly string[]): string | null {
  const isReason = (line: string): boolean => {
    const code = complaint.exec(line)?.[1];
    return code !== undefined && code !== sumOfErrors;
  };
  const first = lines.findLastIndex(isReason);
  if (first < 0) return null;
  const following = lines.slice(first + 1).findIndex((line) => !continuation.test(line));
  const end = following < 0 ? lines.length : first + 1 + following;
  const words = [
    complaint.exec(lines[first] ?? "")?.[2] ?? "",
    ...lines.slice(first + 1, end).map((line) => continuation.exec(line)?.[1] ?? ""),
  ];
  return words.slice(0, complaintLinesMax).join("; ");
}

export const takeArguments = (backupId: string, type: string): string[] => [
  program,
  ...commonArguments,
  `--type=${type}`,
  `--annotation=${backupAnnotation}=${backupId}`,
  "--log-level-console=info",
  "backup",
];

/** With what was well, too: how much was read is worth knowing. */
export const verifyArguments: readonly string[] = [
  program,
  ...commonArguments,
  "--output=text",
  "--verbose",
  "verify",
];

/** pgBackRest's own limit: as many backups are never there, so that none goes. */
const everyBackup = 9_999_999;

/**
 * Archive retention counts full backups: with as many as there are, what is from before the first one goes, and
 * nothing from then on has a gap. Null: there is none, and all WAL stays.
 */
export function expireArchiveOptions(backups: readonly Pick<RepositoryBackup, "type">[]): string[] | null {
  const fulls = backups.filter(({ type }) => type === "full").length;
  if (fulls === 0) return null;
  return [
    "--repo1-retention-full-type=count",
    `--repo1-retention-full=${everyBackup}`,
    "--repo1-retention-archive-type=full",
    `--repo1-retention-archive=${fulls}`,
  ];
}

/** An archiver or another command has its lock: https://pgbackrest.org/command.html, error 50. */
const lockTaken = 50;
const lockLookMs = 500;

/**
 * Runs one command as PostgreSQL's user; while another one has the lock that it needs, it waits for it.
 * @throws {NodeFailure} `pgbackrest-failed` with what it said
 */
export async function pgbackrest(
  command: string,
  options: readonly string[],
  timeoutMs: number,
): Promise<RunResult> {
  const deadline = new Deadline(timeoutMs);
  const args = [...commonArguments, ...options, command];
  let last = "";
  return deadline.until(
    async () => {
      const ran = await runAs("postgres", program, args, {
        timeoutMs: deadline.remainingMs,
        answers: anyExitCode,
      });
      if (ran.code === 0) return ran;
      const lines = `${ran.stdout}\n${ran.stderr}`.split("\n");
      last = `pgbackrest ${command} failed: ${complaintIn(lines) ?? `exit code ${ran.code}`}`;
      if (ran.code === lockTaken) return null;
      throw new NodeFailure(last, { code: "pgbackrest-failed" });
    },
    () => new NodeFailure(last, { code: "pgbackrest-failed" }),
    lockLookMs,
  );
}

const infoBackupSchema = z.object({
  label: z.string(),
  type: z.enum(["full", "diff", "incr"]),
  annotation: z.record(z.string(), z.string()).optional(),
  archive: z.object({ start: z.string().nullable(), stop: z.string().nullable() }),
  info: z.object({ size: z.int(), repository: z.object({ delta: z.int() }) }),
  lsn: z.object({ start: z.string(), stop: z.string() }).optional(),
  reference: z.array(z.string()).nullable(),
  timestamp: z.object({ start: z.int(), stop: z.int() }),
});
const infoSchema = z.array(
  z.object({
    name: z.string(),
    backup: z.array(infoBackupSchema),
    status: z.object({
      code: z.int(),
      message: z.string(),
      lock: z.object({
        backup: z.object({
          held: z.boolean(),
          size: z.int().optional(),
          "size-cplt": z.int().optional(),
        }),
      }),
    }),
    repo: z.array(z.object({ status: z.object({ code: z.int(), message: z.string() }) })),
  }),
);

/** Beyond these the repository could not be read: 0 well, 1 and 3 no stanza yet, 2 no backup yet. */
const readableCodes = [0, 1, 2, 3];

export interface RepositoryInfo {
  /** Oldest first. */
  readonly backups: readonly RepositoryBackup[];
  /** Of the backup that this node takes now, if it does, once it is known how much there is to copy. */
  readonly progress: BackupProgress | null;
}

const isOurs = /^bkp_([0-9A-HJKMNP-TV-Z]{26})$/;
const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();

function backupOf(found: z.infer<typeof infoBackupSchema>): RepositoryBackup {
  const ulid = isOurs.exec(found.annotation?.[backupAnnotation] ?? "")?.[1];
  return repositoryBackupSchema.parse({
    label: found.label,
    backupId: ulid === undefined ? null : prefixed("backup", ulid),
    type: found.type,
    startedAt: iso(found.timestamp.start),
    // It says whole seconds, cut off: PostgreSQL refuses a time that lies before the very end.
    endedAt: iso(found.timestamp.stop + 1),
    sizeBytes: found.info.size,
    repositoryBytes: found.info.repository.delta,
    walStart: found.archive.start,
    walStop: found.archive.stop,
    lsnStart: found.lsn?.start ?? null,
    lsnStop: found.lsn?.stop ?? null,
    references: found.reference ?? [],
  });
}

/** What `pgbackrest info --output=json` says. @throws {NodeFailure} `repository-unreadable` */
export function repositoryInfo(json: string): RepositoryInfo {
  const [found] = infoSchema.parse(JSON.parse(json));
  if (found === undefined) return { backups: [], progress: null };
  const unreadable = [found, ...found.repo].find(({ status }) => !readableCodes.includes(status.code));
  if (unreadable !== undefined) {
    const { message } = unreadable.status;
    throw new NodeFailure(`the repository cannot be read: ${message}`, { code: "repository-unreadable" });
  }
  const { size, "size-cplt": done } = found.status.lock.backup;
  return {
    backups: found.backup.map(backupOf),
    progress: size === undefined || done === undefined ? null : { bytesDone: done, bytesTotal: size },
  };
}

export async function readRepository(): Promise<RepositoryInfo> {
  const { stdout } = await pgbackrest("info", ["--output=json"], infoTimeoutMs);
  return repositoryInfo(stdout);
}
