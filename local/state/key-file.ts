import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const keyBytes = 32;

/** A random key that only root reads, made at the first call. */
export async function ensureKeyFile(path: string): Promise<Buffer> {
  const key = await ensureSecretFile(path, async () => randomBytes(keyBytes));
  if (key.length !== keyBytes) throw new Error(`the key file ${path} does not hold ${keyBytes} bytes`);
  return key;
}

/**
 * A file that only root reads, made at the first call. It is made in full before it gets its name: being killed half
 * way leaves no short secret behind, and of two who make it at once both get the first one's.
 */
export async function ensureSecretFile(path: string, make: () => Promise<Buffer>): Promise<Buffer> {
  const existing = readIfThere(path);
  if (existing !== null) return existing;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, await make(), { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path);
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null;
    throw error;
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
