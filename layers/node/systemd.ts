import { mkdir, readlink, rm, symlink } from "node:fs/promises";
import { nodePaths } from "../domain/config/index.ts";
import { run } from "./process.ts";

/** A start that waits for others (etcd for its majority) is not waited for; see --no-block. */
const systemctlTimeoutMs = 60_000;

function systemctl(...args: string[]): Promise<{ stdout: string }> {
  return run("systemctl", args, { timeoutMs: systemctlTimeoutMs });
}

export async function reloadUnits(): Promise<void> {
  await systemctl("daemon-reload");
}

/**
 * Enabled units come back by themselves after a reboot. Our units are all wanted by the same target, so this is one
 * link; `systemctl enable` first asks Perl about each unit's script of old, which takes a quarter of a second.
 */
export async function enable(units: readonly string[]): Promise<void> {
  const wants = `${nodePaths.units}/multi-user.target.wants`;
  await mkdir(wants, { recursive: true });
  await Promise.all(units.map((unit) => ensureLink(`${wants}/${unit}`, `${nodePaths.units}/${unit}`)));
}

export async function ensureLink(path: string, target: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    if ((await readlink(path)) === target) return;
    await rm(path, { force: true });
    await symlink(target, path);
  }
}

export async function startAndWait(unit: string): Promise<void> {
  await systemctl("start", unit);
}

/** Stops the unit, also after the next boot. */
export async function disable(unit: string): Promise<void> {
  await rm(`${nodePaths.units}/multi-user.target.wants/${unit}`, { force: true });
  await systemctl("stop", unit);
}

export async function start(units: readonly string[]): Promise<void> {
  if (units.length > 0) await systemctl("start", "--no-block", ...units);
}

/** Those that run: the others find their new files when they start. */
export async function restart(units: readonly string[]): Promise<void> {
  if (units.length > 0) await systemctl("try-restart", "--no-block", ...units);
}

export async function reload(units: readonly string[]): Promise<void> {
  if (units.length > 0) await systemctl("reload", ...units);
}

/** Units of the list that run or are about to. */
export async function active(units: readonly string[]): Promise<Set<string>> {
  if (units.length === 0) return new Set();
  const { stdout } = await run("systemctl", ["is-active", ...units], { answers: [3, 4] });
  const states = stdout.trim().split("\n");
  return new Set(
    units.filter((_, index) => ["active", "activating", "reloading"].includes(states[index] ?? "")),
  );
}

/** How often systemd has started the unit again by itself. */
export async function restartsOf(unit: string): Promise<number> {
  const { stdout } = await systemctl("show", "--property=NRestarts", "--value", unit);
  return Number(stdout.trim());
}

export async function machineGoesDown(): Promise<boolean> {
  const { stdout } = await run("systemctl", ["is-system-running"], { answers: [1] });
  return stdout.trim() === "stopping";
}
