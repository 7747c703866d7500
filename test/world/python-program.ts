import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "../../local/environment/lock.ts";
import { runProgram } from "../../local/machines/program.ts";

/** A few packages, some of them tens of megabytes, over a slow line and on a busy machine. */
const installTimeoutMs = 10 * 60 * 1000;
const hashCharacters = 16;

/**
 * Checkers that others wrote in Python, installed from the index that pip is configured for into a virtual environment
 * in the cache. It gets its name when it is complete, so that being interrupted anywhere leaves nothing that looks
 * finished.
 *
 * @returns the directory with its interpreter and its scripts. A script is handed to the interpreter: by itself, it
 * would look for the one that had the unfinished name.
 */
export async function ensurePythonPackages(options: {
  readonly name: string;
  /** A file of pip's that pins every package, so that the same ones are installed everywhere. */
  readonly requirements: string;
}): Promise<string> {
  const cache = process.env["PGHERD_CACHE_DIR"] ?? "/var/cache/pgherd";
  const hash = createHash("sha256").update(await runProgram("python3", ["--version"]));
  hash.update(await readFile(options.requirements));
  const directory = join(cache, `${options.name}-${hash.digest("hex").slice(0, hashCharacters)}`);
  const programs = join(directory, "bin");
  if (existsSync(directory)) return programs;
  await mkdir(cache, { recursive: true });
  const busy = `another process has been installing ${directory} for too long: end it, and start again`;
  await withLock(directory, { timeoutMs: installTimeoutMs, busy }, async () => {
    if (existsSync(directory)) return;
    const draft = `${directory}.partial`;
    await rm(draft, { recursive: true, force: true });
    await install(draft, options.requirements);
    await rename(draft, directory);
  });
  return programs;
}

async function install(directory: string, requirements: string): Promise<void> {
  await runProgram("python3", ["-m", "venv", directory], { timeoutMs: installTimeoutMs });
  const pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"];
  await runProgram(join(directory, "bin/python"), [...pip, "--requirement", requirements], {
    timeoutMs: installTimeoutMs,
  });
}
