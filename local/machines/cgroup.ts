import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { poll } from "./wait.ts";

/**
 * Each machine lives in a control group of its own, `pgherd/<environment>/<instance>`, outside of whatever started
 * the control plane. The kernel keeps the list of what runs in it, so a machine is found, watched and killed
 * without trusting process numbers that may have been given to somebody else.
 */

/** The unified hierarchy, alone or beside version 1. */
const mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/** Beside version 1, systemd-nspawn keeps the same groups in systemd's own hierarchy, and leaves them there. */
const systemdMount = "/sys/fs/cgroup/systemd";
/** The kernel needs moments to end killed processes; one that hangs in the kernel longer will not end at all. */
const killTimeoutMs = 15_000;

function cgroupMount(): string {
  const mount = mounts.find((path) => existsSync(join(path, "cgroup.controllers")));
  if (mount === undefined) {
    throw new Error(
      "This system has no unified control group hierarchy (cgroup2). Boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 on /sys/fs/cgroup/unified.",
    );
  }
  return mount;
}

/** @param environment name that is unique on this host: the bridge's. */
export function environmentCgroup(environment: string): string {
  return join(cgroupMount(), "pgherd", environment);
}

export class Cgroup {
  readonly path: string;

  constructor(environment: string, instanceId: string) {
    this.path = join(environmentCgroup(environment), instanceId);
  }

  /**
   * `keeper` holds the process that restarts the machine, `machine` what boots. Always new: in a group that was killed
   * before, recent kernels also kill what systemd starts in groups below it.
   */
  async create(): Promise<void> {
    await this.remove();
    await mkdir(join(this.path, "keeper"), { recursive: true });
    await mkdir(join(this.path, "machine"), { recursive: true });
  }

  /** True while any process lives in it. */
  async populated(): Promise<boolean> {
    const events = await readIfThere(join(this.path, "cgroup.events"));
    return /^populated 1$/m.test(events ?? "");
  }

  /** Kills everything in it at once and waits until the kernel says that nothing is left. */
  async kill(): Promise<void> {
    if (!existsSync(this.path)) return;
    await writeFile(join(this.path, "cgroup.kill"), "1");
    const empty = await this.awaitEmpty(killTimeoutMs);
    if (!empty)
      throw new Error(`Processes in ${this.path} did not end ${killTimeoutMs / 1000} s after SIGKILL.`);
  }

  async awaitEmpty(timeoutMs: number): Promise<boolean> {
    const empty = await poll(async () => ((await this.populated()) ? undefined : true), { timeoutMs });
    return empty === true;
  }

  async remove(): Promise<void> {
    await removeGroup(this.path);
  }

  /** Host's number of the process that is the machine's process 1; undefined before it started. */
  async leader(): Promise<number | undefined> {
    const payload = join(this.path, "machine", "payload");
    for (const group of [join(payload, "init.scope"), payload]) {
      const processes = (await readIfThere(join(group, "cgroup.procs")))?.split("\n") ?? [];
      for (const text of processes.filter((line) => line !== "")) {
        if (await isProcessOne(Number(text))) return Number(text);
      }
    }
    return undefined;
  }
}

/** Whether a process is number 1 of a process namespace below the host's, and has become systemd. */
async function isProcessOne(pid: number): Promise<boolean> {
  const status = await readIfThere(`/proc/${pid}/status`);
  if (!/^Name:\s+systemd$/m.test(status ?? "")) return false;
  const numbers = /^NSpid:\s+(.*)$/m.exec(status ?? "")?.[1]?.split(/\s+/) ?? [];
  return numbers.length > 1 && numbers.at(-1) === "1";
}

/** Where systemd keeps the same group beside the unified hierarchy; not there on a system without version 1. */
export function shadowOf(path: string): string {
  return join(systemdMount, relative(cgroupMount(), path));
}

/** With everything below it, in both hierarchies. Nothing lives in it any more. */
export async function removeGroup(path: string): Promise<void> {
  await removeTree(path);
  await removeTree(shadowOf(path));
}

/** Control groups are directories whose files cannot be removed: innermost first, `rmdir` only. */
async function removeTree(path: string): Promise<void> {
  if (!existsSync(path)) return;
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(path, entry.name));
  }
  await rmdir(path);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** A control group that is removed while it is read answers ENODEV, a process that ends ESRCH. */
function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENODEV" || code === "ESRCH";
}
