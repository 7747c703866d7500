import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** A killed process is gone within moments; one that lingers hangs in the kernel. */
const killTimeoutMs = 10_000;
const pollMs = 50;

/**
 * True when the process runs and its command line has `word`: process ids are given again, and a stranger must never be
 * taken for one of ours.
 */
export async function isOurs(pid: number, word: string): Promise<boolean> {
  const [cmdline, status] = await Promise.all([
    readProcessFile(pid, "cmdline"),
    readProcessFile(pid, "status"),
  ]);
  if (cmdline === null || status === null) return false;
  return cmdline.includes(word) && !/^State:\s+Z/m.test(status);
}

/** Null when the process is gone. */
async function readProcessFile(pid: number, name: string): Promise<string | null> {
  try {
    return await readFile(`/proc/${pid}/${name}`, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH") return null;
    throw error;
  }
}

/**
 * Processes whose command line has `word` and whose environment has `variable` with that value: found by what they
 * are, so that no file has to be trusted about which of them run.
 */
export async function findProcesses(word: string, variable: string, value: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const pid of pids) {
    if (!(await isOurs(pid, word))) continue;
    const environment = await readProcessFile(pid, "environ");
    if (environment?.split("\0").includes(`${variable}=${value}`)) found.push(pid);
  }
  return found;
}

/** Ends the process: SIGTERM, and SIGKILL when that takes longer than `graceMs`. Gone already is success. */
export async function endProcess(pid: number, word: string, graceMs: number): Promise<void> {
  for (const [signal, waitMs] of [
    ["SIGTERM", graceMs],
    ["SIGKILL", killTimeoutMs],
  ] as const) {
    if (!(await isOurs(pid, word))) return;
    send(pid, signal);
    const deadline = Date.now() + waitMs;
    while (Date.now() < deadline) {
      if (!(await isOurs(pid, word))) return;
      await delay(pollMs);
    }
  }
  throw new Error(`process ${pid} does not end, not even when it is killed`);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended by itself meanwhile.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
