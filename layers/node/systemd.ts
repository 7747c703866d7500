import { run } from "./process.ts";

/** A start that waits for others (etcd for its majority) is not waited for; see --no-block. */
const systemctlTimeoutMs = 60_000;

function systemctl(...args: string[]): Promise<{ stdout: string }> {
  return run("systemctl", args, { timeoutMs: systemctlTimeoutMs });
}

export async function reloadUnits(): Promise<void> {
  await systemctl("daemon-reload");
}

/** Enabled units come back by themselves after a reboot. Takes effect with the next {@link reloadUnits}. */
export async function enable(units: readonly string[]): Promise<void> {
  await systemctl("enable", "--no-reload", "--quiet", ...units);
}

export async function startAndWait(unit: string): Promise<void> {
  await systemctl("start", unit);
}

export async function start(units: readonly string[]): Promise<void> {
  if (units.length > 0) await systemctl("start", "--no-block", ...units);
}

export async function restart(units: readonly string[]): Promise<void> {
  if (units.length > 0) await systemctl("restart", "--no-block", ...units);
}

export async function reload(units: readonly string[]): Promise<void> {
  if (units.length > 0) await systemctl("reload", ...units);
}

/** Units of the list that run or are about to. */
export async function active(units: readonly string[]): Promise<Set<string>> {
  const { stdout } = await run("systemctl", ["is-active", ...units], { answers: [3, 4] });
  const states = stdout.trim().split("\n");
  return new Set(
    units.filter((_, index) => ["active", "activating", "reloading"].includes(states[index] ?? "")),
  );
}
