import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "../../../local/environment/lock.ts";
import { ProgramError, runProgram } from "../../../local/machines/program.ts";

/** The package is tens of megabytes, over a slow line and on a busy machine. */
const downloadTimeoutMs = 10 * 60 * 1000;
/** The package starts a Prometheus when it is installed, so only its checker is taken out of it. */
const packageName = "prometheus";
const program = "usr/bin/promtool";

/** Prometheus' own checker, in the cache; complete when its directory has its name. */
export async function ensurePromtool(): Promise<string> {
  const cache = process.env["PGHERD_CACHE_DIR"] ?? "/var/cache/pgherd";
  const directory = join(cache, "promtool");
  if (!existsSync(directory)) {
    await mkdir(cache, { recursive: true });
    const busy = `another process has been filling ${directory} for too long: end it, and start again`;
    await withLock(directory, { timeoutMs: downloadTimeoutMs, busy }, async () => {
      if (!existsSync(directory)) await fill(directory);
    });
  }
  return join(directory, program);
}

async function fill(directory: string): Promise<void> {
  const draft = `${directory}.partial`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  try {
    await take(draft);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    // What is known of the archive may be older than the archive, or nothing.
    await runProgram("apt-get", ["update", "-q"], { timeoutMs: downloadTimeoutMs });
    await take(draft);
  }
  await rename(draft, directory);
}

/** apt drops its rights for downloads, and the directory is root's. */
const takeScript = `set -e
cd "$1"
apt-get download -q -o APT::Sandbox::User=root ${packageName}
dpkg-deb --fsys-tarfile ${packageName}_*.deb >tree.tar
tar -xf tree.tar ./${program}
rm tree.tar ${packageName}_*.deb`;

const take = (directory: string): Promise<string> =>
  runProgram("/bin/sh", ["-c", takeScript, "sh", directory], { timeoutMs: downloadTimeoutMs });
