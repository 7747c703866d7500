import { randomBytes } from "node:crypto";
import {
  logicalPrefix,
  type Manifest,
  type ManifestDatabase,
  manifestKey,
  objectKey,
} from "../../domain/backup/manifest.ts";
import { backupProcesses } from "../../domain/config/index.ts";
import type { NodeContext, Objects } from "../context.ts";
import { NodeFailure } from "../failure.ts";
import { readCipherPass } from "../passwords.ts";
import { findDatabases, serverVersion } from "./databases.ts";
import { dumpDatabase, dumpGlobals, pgDumpVersion } from "./dump.ts";
import { holdFeedback } from "./feedback.ts";
import { readManifest, removeBelow } from "./manifest-store.ts";
import { ObjectWriter } from "./object-writer.ts";
import { type OwnPlace, ownPlace } from "./own-place.ts";
import { Seal } from "./seal.ts";
import { Workplace } from "./workplace.ts";

const attemptBytes = 8;
const saltBytes = 32;
/** A dump by one process alone is not worth less memory. */
const jobsMin = 2;

interface Try extends OwnPlace {
  readonly backupId: string;
  readonly prefix: string;
  readonly attempt: string;
  readonly salt: Buffer;
  readonly seal: Seal;
  readonly objects: Objects;
  readonly work: Workplace;
}

/** What the unit of a logical backup does. Nothing but its manifest makes it one. */
export async function takeLogicalBackup(backupId: string, context: NodeContext): Promise<void> {
  const place = await ownPlace();
  const { intent, repository } = place;
  const prefix = logicalPrefix(repository, backupId);
  const work = Workplace.ofDump(backupId);
  await work.remove();
  await work.make();
  using objects = await context.openObjects(repository);
  const attempt = randomBytes(attemptBytes).toString("hex");
  const salt = randomBytes(saltBytes);
  const pass = await readCipherPass(context, intent);
  const course: Try = {
    ...place,
    backupId,
    prefix,
    attempt,
    salt,
    seal: new Seal(pass, salt),
    objects,
    work,
  };
  let manifest: Manifest;
  try {
    manifest = await dumpAll(course);
  } catch (error) {
    await work.fail(error, false);
    // What is still there goes with the backup, or with the next try at it.
    await removeBelow(objects, `${prefix}${attempt}/`).catch(() => undefined);
    throw error;
  }
  await publish(course, manifest, pass);
}

async function dumpAll(course: Try): Promise<Manifest> {
  const { attempt, objects, prefix, seal } = course;
  const startedAt = new Date().toISOString();
  await holdFeedback();
  const writer = new ObjectWriter(objects, (number) => objectKey(prefix, attempt, number), seal);
  const globals = await dumpGlobals(course.work.path("globals"), writer);
  const databases = await dumpDatabases(course, writer);
  await writer.finish();
  return {
    format: 1,
    clusterId: course.intent.clusterId,
    shard: course.self.shard,
    backupId: course.backupId,
    attempt,
    salt: course.salt.toString("base64"),
    postgresVersion: await serverVersion(),
    pgDumpVersion: await pgDumpVersion(),
    startedAt,
    endedAt: new Date().toISOString(),
    globals,
    databases,
    objects: [...writer.objects],
  };
}

/** One after the other: each has its own snapshot, as with pg_dumpall. */
async function dumpDatabases(course: Try, writer: ObjectWriter): Promise<ManifestDatabase[]> {
  const { intent, work } = course;
  const found = await findDatabases();
  const bytesTotal = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const jobs = Math.max(jobsMin, backupProcesses(intent.spec.instanceType));
  const databases: ManifestDatabase[] = [];
  let bytesBefore = 0;
  for (const [index, database] of found.entries()) {
    const directory = work.path(`database-${index + 1}`);
    const tell = (bytes: number): Promise<void> =>
      work.tell(bytesBefore + Math.min(bytes, database.sizeBytes), bytesTotal);
    databases.push(await dumpDatabase({ database, directory, jobs, tell }, writer));
    bytesBefore += database.sizeBytes;
  }
  return databases;
}

/**
 * A node that was given up may have gone on, so that two tries come to their end: the first manifest is the backup. What
 * others left goes only then, as no other one can become the backup any more; and nothing goes before it is known whose
 * manifest there is, as an answer can get lost.
 */
async function publish(
  { attempt, objects, prefix, seal }: Try,
  manifest: Manifest,
  pass: string,
): Promise<void> {
  const key = manifestKey(prefix);
  const mac = seal.mac(JSON.stringify(manifest));
  await objects.putNew(key, Buffer.from(JSON.stringify({ manifest, mac })));
  const stored = await readManifest(objects, prefix, pass);
  if (stored === null) throw new NodeFailure("the manifest is gone again", { code: "no-manifest" });
  const isOurs = stored.manifest.attempt === attempt;
  const own = `${prefix}${attempt}/`;
  await removeBelow(objects, prefix, (one) => one !== key && one.startsWith(own) !== isOurs);
}
