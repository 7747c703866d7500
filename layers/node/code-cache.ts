import { createHash } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire, wrap } from "node:module";
import { dirname } from "node:path";
import { Script } from "node:vm";

/**
 * Compiling the node program takes as long as most verbs do. V8's own cache of what it compiled spares that for every
 * command but the first; V8 refuses by itself what another version of it or another source has left.
 */

const hashBytes = 32;

type Wrapped = (
  exports: object,
  require: NodeJS.Require,
  module: { exports: object },
  filename: string,
  directory: string,
) => void;

const hashOf = (data: Uint8Array): Buffer => createHash("sha256").update(data).digest();

/** V8 does not check what it is given: a file that a full disk has cut short would crash it. */
async function readCache(path: string): Promise<Buffer | undefined> {
  let file: Buffer;
  try {
    file = await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  const data = file.subarray(hashBytes);
  return hashOf(data).equals(file.subarray(0, hashBytes)) ? data : undefined;
}

async function writeCache(path: string, data: Buffer): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  try {
    await writeFile(temporary, Buffer.concat([hashOf(data), data]), { mode: 0o644 });
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Runs a wrapped CommonJS program as if it stood at that path, and returns what it exports. */
export function runScript(script: Script, path: string): object {
  const module = { exports: {} };
  const run: Wrapped = script.runInThisContext();
  run(module.exports, createRequire(path), module, path, dirname(path));
  return module.exports;
}

/**
 * Runs a CommonJS program without `import()`, which V8's cache knows nothing of, and returns what it exports.
 * `keepCache` is called when it has done its work: then V8 has compiled what commands need.
 */
export async function runCached(
  path: string,
  source: string,
): Promise<{ readonly exports: object; readonly keepCache: () => Promise<void> }> {
  const cachePath = `${path}.${process.version}.cache`;
  const cachedData = await readCache(cachePath);
  const script = new Script(wrap(source), {
    filename: path,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const exports = runScript(script, path);
  const isUsed = cachedData !== undefined && script.cachedDataRejected !== true;
  const keepCache = async (): Promise<void> => {
    if (!isUsed) await writeCache(cachePath, script.createCachedData());
  };
  return { exports, keepCache };
}
