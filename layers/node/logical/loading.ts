import { appendFile, chown, statfs } from "node:fs/promises";
import { isReadableBy, type Load } from "../../domain/backup/logical.ts";
import { logicalPrefix, type ManifestDatabase, type ManifestFile } from "../../domain/backup/manifest.ts";
import { nodePaths } from "../../domain/config/index.ts";
import type { Repository } from "../../domain/node/protocol.ts";
import { account } from "../accounts.ts";
import type { NodeContext } from "../context.ts";
import { createDatabaseSql, rightsSql } from "../database-sql.ts";
import { NodeFailure } from "../failure.ts";
import { ensureFile } from "../files.ts";
import { readCipherPass } from "../passwords.ts";
import { identifier, literal, runSql } from "../psql.ts";
import { requireLeader } from "../verbs/apply-database.ts";
import { startAsPostgres } from "./child.ts";
import {
  connectionTo,
  type DatabaseState,
  inspectDatabase,
  markDatabase,
  serverVersion,
} from "./databases.ts";
import { readManifest } from "./manifest-store.ts";
import { ownPlace } from "./own-place.ts";
import { SegmentReader } from "./segment-reader.ts";
import { isFinal, Workplace } from "./workplace.ts";

const restoreProgram = `${nodePaths.postgresBin}/pg_restore`;
const tellMs = 1_000;

export interface LoadOrder {
  readonly operationId: string;
  readonly load: Load;
  /** Of the shard that the backup is of. */
  readonly repository: Repository;
}

/** A database that is made for it is called so until it is loaded: nobody uses it by this name. */
export const makingName = (operationId: string): string =>
  `pgherd_load_${operationId.slice(-26).toLowerCase()}`;

/** What the unit that loads a database does. All of it is one transaction: there is never a part of a backup. */
export async function loadDatabase(order: LoadOrder, context: NodeContext): Promise<void> {
  const work = Workplace.ofLoad(order.operationId);
  await work.remove();
  await work.make();
  try {
    await load(order, context, work);
  } catch (error) {
    await work.fail(error, isFinal(error) || (await isRefusal(error)));
    await forgetLoad(order);
    throw error;
  }
}

/** What is loaded stays; everything that was there for the loading alone goes. Nothing to forget is success. */
export async function forgetLoad({
  load: { name },
  operationId,
}: Omit<LoadOrder, "repository">): Promise<void> {
  await dropMaking(operationId);
  if ((await inspectDatabase(name)).mark === operationId) await markDatabase(name, null);
}

async function load(
  { load: request, operationId, repository }: LoadOrder,
  context: NodeContext,
  work: Workplace,
) {
  const { name, source } = request;
  const { intent } = await ownPlace();
  using objects = await context.openObjects(repository);
  const prefix = logicalPrefix(repository, source.backupId);
  const pass = await readCipherPass(context, {
    environment: intent.environment,
    clusterId: source.clusterId,
  });
  const stored = await readManifest(objects, prefix, pass);
  if (stored === null) throw new NodeFailure("the backup is gone", { code: "backup-damaged" });
  const reader = new SegmentReader(objects, prefix, stored);
  const database = await findIn(reader, source.database);
  await requireLeader();
  const before = await inspectDatabase(name);
  if (!before.isEmpty) {
    throw new NodeFailure(`database "${name}" is not empty`, { code: "database-not-empty" });
  }
  await checkRoom(database);
  const into = await prepareDatabase(before, name, operationId);
  await restore(reader, database, into, work);
  if (into !== name) {
    await runSql("postgres", `ALTER DATABASE ${identifier(into)} RENAME TO ${identifier(name)};`);
  }
}

async function findIn({ manifest }: SegmentReader, name: string): Promise<ManifestDatabase> {
  const database = manifest.databases.find((one) => one.name === name);
  if (database === undefined) {
    const known = manifest.databases.map((one) => one.name).join(", ");
    throw new NodeFailure(`the backup has no database "${name}", only ${known}`, {
      code: "database-unknown",
    });
  }
  const version = await serverVersion();
  if (!isReadableBy(manifest.pgDumpVersion, Number.parseInt(version, 10))) {
    throw new NodeFailure(
      `the backup was written by pg_dump ${manifest.pgDumpVersion}, which pg_restore ${version} cannot read`,
      { code: "version-unreadable" },
    );
  }
  return database;
}

/** As much as the database had, indexes included, and its dump beside it until it is loaded. */
async function checkRoom({ files, sizeBytes }: ManifestDatabase): Promise<void> {
  const { bavail, bsize } = await statfs(nodePaths.postgresData);
  const free = bavail * bsize;
  const dump = dumpBytes(files);
  if (free >= sizeBytes + dump) return;
  const gib = (bytes: number): string => (bytes / 1024 ** 3).toFixed(1);
  throw new NodeFailure(
    `the database had ${gib(sizeBytes)} GiB and its dump has ${gib(dump)} GiB, and the volume has ${gib(free)} GiB free`,
    { code: "no-room" },
  );
}

/** @returns the name of the database to load into */
async function prepareDatabase(before: DatabaseState, name: string, operationId: string): Promise<string> {
  if (before.exists) {
    await markDatabase(name, operationId);
    return name;
  }
  const making = makingName(operationId);
  await dropMaking(operationId);
  await runSql("postgres", createDatabaseSql(making));
  await runSql(making, rightsSql(making, []));
  await markDatabase(making, operationId);
  return making;
}

async function dropMaking(operationId: string): Promise<void> {
  await runSql("postgres", `DROP DATABASE IF EXISTS ${identifier(makingName(operationId))} WITH (FORCE);`);
}

/** pg_restore reads regular files and nothing else: a pipe in the place of one is refused. */
async function restore(reader: SegmentReader, database: ManifestDatabase, into: string, work: Workplace) {
  await fetchFiles(reader, database, work);
  const child = startAsPostgres(restoreProgram, [
    ...restoreArguments,
    `--dbname=${connectionTo(into)}`,
    work.directory,
  ]);
  await child.ended;
}

/** Nothing that is not known to be right is written. */
async function fetchFiles(reader: SegmentReader, { files }: ManifestDatabase, work: Workplace) {
  const owner = await account("postgres");
  const bytesTotal = dumpBytes(files);
  for (const { bytes, name } of files) {
    if (bytes === 0) await ensureFile({ path: work.path(name), content: "", owner, mode: 0o600 });
  }
  let bytesDone = 0;
  let toldAt = 0;
  for await (const { bytes, name } of reader.parts(files)) {
    await appendFile(work.path(name), bytes, { mode: 0o600 });
    bytesDone += bytes.length;
    if (Date.now() - toldAt < tellMs) continue;
    toldAt = Date.now();
    await work.tell(bytesDone, bytesTotal);
  }
  for (const { name } of files) await chown(work.path(name), owner.uid, owner.gid);
}

const dumpBytes = (files: readonly ManifestFile[]): number =>
  files.reduce((sum, { bytes }) => sum + bytes, 0);

const restoreArguments = [
  "--format=directory",
  "--single-transaction",
  "--exit-on-error",
  "--no-tablespaces",
  // A copy must not take what is meant for the original.
  "--no-subscriptions",
];

/** What comes of another try: a leader that is one no more is no reason to give up, a complaint of PostgreSQL is. */
async function isRefusal(error: unknown): Promise<boolean> {
  if (!(error instanceof NodeFailure) || error.code !== "program-failed") return false;
  try {
    await requireLeader();
    await runSql("postgres", `SELECT ${literal("it answers")};`);
    return !/terminat|connection|shutting down/i.test(error.message);
  } catch {
    return false;
  }
}
