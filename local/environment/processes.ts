import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** A killed process is gone within moments; one that lingers hangs in the kernel. */
const killTimeoutMs = 10_000;
const pollMs = 50;

/**
 * True when the process runs and its command line has `word`: process ids are given again, and a stranger must never be
 * taken for one of ours.
 */
export async function isOurs(pid: number, word: string): Promise<boolean> {
  try {
    const [cmdline, status] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, "utf8"),
      readFile(`/proc/${pid}/status`, "utf8"),
    ]);
    return cmdline.includes(word) && !/^State:\s+Z/m.test(status);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH") return false;
    throw error;
  }
}

/** Ends the process: SIGTERM, and SIGKILL when that takes longer than `graceMs`. Gone already is success. */
export async function endProcess(pid: number, word: string, graceMs: number): Promise<void> {
  for (const [signal, waitMs] of [
    ["SIGTERM", graceMs],
    ["SIGKILL", killTimeoutMs],
  ] as const) {
    if (!(await isOurs(pid, word))) return;
    process.kill(pid, signal);
    const deadline = Date.now() + waitMs;
    while (Date.now() < deadline) {
      if (!(await isOurs(pid, word))) return;
      await delay(pollMs);
    }
  }
  throw new Error(`process ${pid} does not end, not even when it is killed`);
}
