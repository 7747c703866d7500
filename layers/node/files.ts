import { chmod, chown, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Account } from "./accounts.ts";

export const root: Account = { uid: 0, gid: 0 };

export interface FileIntent {
  readonly path: string;
  readonly content: string;
  readonly owner: Account;
  readonly mode: number;
}

export const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

export async function readIfPresent(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Whoever reads meanwhile finds what there was or what there is. For what may be lost in a crash. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function ensureDirectory(path: string, owner: Account, mode: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await chown(path, owner.uid, owner.gid);
  await chmod(path, mode);
}

async function isAsIntended(file: FileIntent): Promise<boolean> {
  if ((await readIfPresent(file.path)) !== file.content) return false;
  const { uid, gid, mode } = await stat(file.path);
  return uid === file.owner.uid && gid === file.owner.gid && (mode & 0o7777) === file.mode;
}

/** Replaces the file whole, or leaves it alone where it is as it should be. Says whether it changed. */
export async function ensureFile(file: FileIntent): Promise<boolean> {
  if (await isAsIntended(file)) return false;
  await writeWhole(file);
  return true;
}

/** A reader sees the old file or the new one, also after a crash, and nobody but its owner ever sees it half done. */
async function writeWhole(file: FileIntent): Promise<void> {
  const temporary = join(dirname(file.path), `.${basename(file.path)}.${process.pid}`);
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(file.content);
      await handle.chown(file.owner.uid, file.owner.gid);
      await handle.chmod(file.mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file.path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
