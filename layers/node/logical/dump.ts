import { readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ManifestDatabase, ManifestFile } from "../../domain/backup/manifest.ts";
import { nodePaths } from "../../domain/config/index.ts";
import { account } from "../accounts.ts";
import { NodeFailure } from "../failure.ts";
import { ensureDirectory } from "../files.ts";
import { run, runAs } from "../process.ts";
import { type Child, checkOpenFilesSeen, openFilesOf, startAsPostgres } from "./child.ts";
import { connectionTo, DumpProgress, type FoundDatabase, plainVersion } from "./databases.ts";
import { DumpSpool } from "./dump-spool.ts";
import { FileWriter, type ObjectWriter } from "./object-writer.ts";

/** So much may wait on the node for being sent; then pg_dump stands still until half of it is. */
const waitingBytesMax = 256 * 1024 ** 2;
/** What must be free when it begins: what waits, what a look was late for, and room for everybody else. */
const freeBytesMin = 3 * waitingBytesMax;
const sweepMs = 250;
const boundMs = 100;
const progressMs = 2_000;
/** Behind somebody who changes a table for longer, another try has more hope than waiting on. */
const lockWaitMs = 300_000;

const bin = (name: string): string => `${nodePaths.postgresBin}/${name}`;

export async function pgDumpVersion(): Promise<string> {
  return plainVersion((await run(bin("pg_dump"), ["--version"])).stdout);
}

/** Roles and what is set for them: a few lines for each. */
export async function dumpGlobals(directory: string, writer: ObjectWriter): Promise<ManifestFile> {
  await makeSpool(directory);
  const path = join(directory, "globals.sql");
  const args = ["--globals-only", "--no-role-passwords", "--no-sync", `--file=${path}`];
  await runAs("postgres", bin("pg_dumpall"), [...args, `--dbname=${connectionTo("postgres")}`]);
  const file = new FileWriter("globals.sql", writer);
  await file.add(await readFile(path));
  await rm(directory, { recursive: true });
  return file.file;
}

export interface DumpOrder {
  readonly database: FoundDatabase;
  /** Made for it, and gone with it. */
  readonly directory: string;
  readonly jobs: number;
  readonly tell: (bytesDone: number) => Promise<void>;
}

/** One database in pg_dump's directory format, by several processes that see the same snapshot. */
export async function dumpDatabase(order: DumpOrder, writer: ObjectWriter): Promise<ManifestDatabase> {
  const { database, directory } = order;
  await makeSpool(directory);
  const child = startAsPostgres(bin("pg_dump"), dumpArguments(order));
  const spool = new DumpSpool(directory, writer, { openFiles: () => openFilesOf(child.pid), free });
  try {
    await Promise.all([
      sweepUntilOver(child, spool),
      keepBounded(child, spool),
      tellProgress(child, new DumpProgress(database.name), order.tell),
    ]);
    await spool.sweep(true);
  } finally {
    child.kill();
    await rm(directory, { recursive: true, force: true });
  }
  return { ...database, files: [...spool.files] };
}

function dumpArguments({ database, directory, jobs }: DumpOrder): string[] {
  return [
    "--format=directory",
    `--jobs=${jobs}`,
    "--compress=zstd",
    // What is on its way to S3 needs not be safe here.
    "--no-sync",
    `--lock-wait-timeout=${lockWaitMs}`,
    `--file=${directory}`,
    `--dbname=${connectionTo(database.name)}`,
  ];
}

async function makeSpool(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await ensureDirectory(directory, await account("postgres"), 0o700);
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < freeBytesMin) {
    const mib = Math.round((bavail * bsize) / 1024 ** 2);
    throw new NodeFailure(`${directory} has ${mib} MiB free, and a dump needs ${freeBytesMin / 1024 ** 2}`, {
      code: "no-room",
    });
  }
  await checkOpenFilesSeen(directory);
}

async function free(path: string, bytes: number): Promise<void> {
  await run("fallocate", ["--punch-hole", "--offset=0", `--length=${bytes}`, path]);
}

async function sweepUntilOver(child: Child, spool: DumpSpool): Promise<void> {
  try {
    while (!child.hasEnded()) {
      await spool.sweep(false);
      await Promise.race([child.ended, sleep(sweepMs)]);
    }
  } catch (error) {
    child.kill();
    throw error;
  }
  await child.ended;
}

/** Whatever sending takes, no more than so much waits: pg_dump and whom it reads from can wait at any place. */
async function keepBounded(child: Child, spool: DumpSpool): Promise<void> {
  let isHeld = false;
  while (!child.hasEnded()) {
    const bytes = await spool.waitingBytes();
    if (!isHeld && bytes > waitingBytesMax) {
      child.hold();
      isHeld = true;
    } else if (isHeld && bytes < waitingBytesMax / 2) {
      child.goOn();
      isHeld = false;
    }
    await Promise.race([child.ended.catch(() => undefined), sleep(boundMs)]);
  }
}

/** Nobody's dump fails because nobody knows how far it is. */
async function tellProgress(child: Child, progress: DumpProgress, tell: DumpOrder["tell"]): Promise<void> {
  while (!child.hasEnded()) {
    await progress.look().catch(() => undefined);
    await tell(progress.bytesDone);
    await Promise.race([child.ended.catch(() => undefined), sleep(progressMs)]);
  }
}
