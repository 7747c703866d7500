import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { keptInRepository, reasonToKeep } from "../../domain/backup/dependency.ts";
import type { backupVerbs } from "../../domain/node/backup-verbs.ts";
import { archiveNow, archiveState } from "../backup/archive.ts";
import { expireArchiveOptions, pgbackrest, readRepository } from "../backup/pgbackrest.ts";
import { makeRestorePoint } from "../backup/restore-point.ts";
import { beginTaking, standingOf, stopTaking } from "../backup/taking.ts";
import { readForks } from "../backup/timelines.ts";
import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { withLock } from "../lock.ts";
import { readOwnIntent } from "../own-intent.ts";
import { requireLeader } from "./apply-database.ts";

const compress = promisify(gzip);

/** Deleting is many small requests to S3. */
const deleteTimeoutMs = 300_000;
/** Two commands about the same backup, of an execution and of the one that takes its place. */
const takeWaitMs = 60_000;

/** A command for another node went to the wrong address. */
export async function checkOwn(input: {
  readonly clusterId: string;
  readonly nodeId: string;
}): Promise<void> {
  const { backups } = await readOwnIntent(input);
  if (backups === null) {
    throw new NodeFailure("the node was configured without a repository for backups", {
      code: "no-repository",
    });
  }
}

const ensureStanza: VerbFunction<"ensure-stanza"> = async (input) => {
  await checkOwn(input);
  await requireLeader();
  const deadline = new Deadline(input.deadlineSeconds * 1000);
  await pgbackrest("stanza-create", [], deadline.remainingMs);
  return { archivedWal: (await archiveNow(deadline)).archivedWal };
};

const archiveNowVerb: VerbFunction<"archive-now"> = async (input) => {
  await checkOwn(input);
  await requireLeader();
  const ended = await archiveNow(new Deadline(input.deadlineSeconds * 1000));
  return { ...ended, forks: await readForks() };
};

const makeRestorePointVerb: VerbFunction<"make-restore-point"> = async (input) => {
  await checkOwn(input);
  await requireLeader();
  return makeRestorePoint(input.name);
};

const takeBackup: VerbFunction<"take-backup"> = async (input) => {
  await checkOwn(input);
  return withLock(`take ${input.backupId}`, takeWaitMs, async () => {
    const standing = await standingOf(input.backupId);
    if (standing.state === "done" || standing.state === "running") return standing;
    await beginTaking(input.backupId, input.type);
    return { state: "running", message: null, progress: null, backup: null };
  });
};

const backupStanding: VerbFunction<"backup-standing"> = async (input) => {
  await checkOwn(input);
  return standingOf(input.backupId);
};

const stopBackup: VerbFunction<"stop-backup"> = async (input) => {
  await checkOwn(input);
  await stopTaking(input.backupId);
  return {};
};

const listBackups: VerbFunction<"list-backups"> = async (input) => {
  await checkOwn(input);
  const { backups } = await readRepository();
  return { list: (await compress(JSON.stringify(backups))).toString("base64") };
};

const deleteBackup: VerbFunction<"delete-backup"> = async (input) => {
  await checkOwn(input);
  const backups = keptInRepository((await readRepository()).backups);
  const backup = backups.find(({ label }) => label === input.label);
  if (backup === undefined) return {};
  // pgBackRest itself would take those that depend on it away with it.
  const reason = reasonToKeep(backup, backups);
  if (reason !== null) throw new NodeFailure(reason, { code: "backup-needed" });
  try {
    await pgbackrest("expire", [`--set=${input.label}`], deleteTimeoutMs);
  } catch (error) {
    // It goes off pgBackRest's list before its files go, and every later expire removes files of what is not listed.
    const { backups: left } = await readRepository();
    if (left.some(({ label }) => label === input.label)) throw error;
  }
  return {};
};

const expireArchive: VerbFunction<"expire-archive"> = async (input) => {
  await checkOwn(input);
  const options = expireArchiveOptions((await readRepository()).backups);
  if (options !== null) await pgbackrest("expire", options, deleteTimeoutMs);
  return {};
};

export const backup: { readonly [V in keyof typeof backupVerbs]: VerbFunction<V> } = {
  "ensure-stanza": ensureStanza,
  "take-backup": takeBackup,
  "backup-standing": backupStanding,
  "stop-backup": stopBackup,
  "list-backups": listBackups,
  "delete-backup": deleteBackup,
  "expire-archive": expireArchive,
  "archive-state": async (input) => {
    await checkOwn(input);
    await requireLeader();
    return { ...(await archiveState()), forks: await readForks() };
  },
  "archive-now": archiveNowVerb,
  "make-restore-point": makeRestorePointVerb,
};
