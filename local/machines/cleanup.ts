import { existsSync } from "node:fs";
import { readdir, readFile, realpath, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { environmentCgroup, removeGroup, shadowOf } from "./cgroup.ts";
import { environmentNamespaces, removeNetwork } from "./network.ts";
import { removeNspawnTraces } from "./nspawn.ts";
import { runProgram } from "./program.ts";
import { detachLoopDevice, loopDevicesOf } from "./volumes.ts";
import { poll } from "./wait.ts";

/** The kernel ends killed processes, their mounts and their loop devices within moments. */
const settleTimeoutMs = 15_000;

export interface CleanupSettings {
  /** The bridge's name is unique on the host and names everything else of the environment there. */
  readonly bridge: string;
}

/**
 * Removes everything that the machines of one environment put on this host, whatever state a crash left it in.
 * Nothing of another environment is touched: everything is found by the bridge's name or by the state directory.
 * @throws {Error} that names what could not be removed.
 */
export async function removeEverything(stateDirectory: string, settings: CleanupSettings): Promise<void> {
  const directory = existsSync(stateDirectory) ? await realpath(stateDirectory) : stateDirectory;
  const cgroup = environmentCgroup(settings.bridge);
  const instanceIds = await instancesOf(directory, cgroup);
  await killGroup(cgroup);
  await removeNetwork(settings);
  await unmountBelow(directory);
  await detachBelow(directory);
  for (const instanceId of instanceIds) await removeNspawnTraces(instanceId);
  for (const name of ["machines", "volumes"]) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
  await removeGroup(cgroup);
  await removeIfEmpty(dirname(cgroup));
  await removeIfEmpty(shadowOf(dirname(cgroup)));
  const left = await whatIsLeft(directory, settings, cgroup);
  if (left.length > 0) {
    throw new Error(
      `The machines of ${stateDirectory} left behind what could not be removed: ${left.join("; ")}.`,
    );
  }
}

/** Everything of the environment's machines that is on the host now, in words; empty after a removal. */
export async function listRemains(stateDirectory: string, settings: CleanupSettings): Promise<string[]> {
  const directory = existsSync(stateDirectory) ? await realpath(stateDirectory) : stateDirectory;
  return whatIsLeft(directory, settings, environmentCgroup(settings.bridge));
}

async function instancesOf(directory: string, cgroup: string): Promise<string[]> {
  const ids = await Promise.all([join(directory, "machines"), cgroup].map(directoriesIn));
  return [...new Set(ids.flat())];
}

async function directoriesIn(path: string): Promise<string[]> {
  if (!existsSync(path)) return [];
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** The folder that all environments share goes with the last one. */
async function removeIfEmpty(cgroup: string): Promise<void> {
  if ((await directoriesIn(cgroup)).length > 0 || !existsSync(cgroup)) return;
  try {
    await rmdir(cgroup);
  } catch (error) {
    // Another environment begins just now.
    if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
  }
}

async function killGroup(cgroup: string): Promise<void> {
  if (!existsSync(cgroup)) return;
  await writeFile(join(cgroup, "cgroup.kill"), "1");
  await poll(
    async () =>
      /^populated 0$/m.test(await readFile(join(cgroup, "cgroup.events"), "utf8")) ? true : undefined,
    { timeoutMs: settleTimeoutMs },
  );
}

/** Machines mount in namespaces of their own; on the host there is only what somebody mounted by hand. */
async function unmountBelow(directory: string): Promise<void> {
  for (const mount of (await mountsBelow(directory)).reverse()) await runProgram("umount", [mount]);
}

async function mountsBelow(directory: string): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  return table
    .split("\n")
    .map((line) => unescapeMount(line.split(" ")[4] ?? ""))
    .filter((mount) => mount.startsWith(`${directory}/`));
}

/** The kernel writes blanks and backslashes of a path as octal numbers. */
function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** A file system that is still mounted somewhere keeps its device; the last unmount lets it go. */
async function detachBelow(directory: string): Promise<void> {
  const volumes = join(directory, "volumes");
  for (const device of await loopDevicesOf(volumes)) await detachLoopDevice(device);
  await poll(async () => ((await loopDevicesOf(volumes)).length === 0 ? true : undefined), {
    timeoutMs: settleTimeoutMs,
  });
}

async function whatIsLeft(directory: string, settings: CleanupSettings, cgroup: string): Promise<string[]> {
  const loops = await loopDevicesOf(join(directory, "volumes"));
  const namespaces = await environmentNamespaces(settings.bridge);
  const mounts = await mountsBelow(directory);
  const tables = await runProgram("nft", ["list", "tables"]);
  return [
    ...loops.map((device) => `loop device /dev/${device.name}`),
    ...namespaces.map((name) => `network namespace ${name}`),
    ...mounts.map((mount) => `mount ${mount}`),
    ...(existsSync(join("/sys/class/net", settings.bridge)) ? [`bridge ${settings.bridge}`] : []),
    ...(tables.split("\n").includes(`table ip ${settings.bridge}`)
      ? [`nft table ip ${settings.bridge}`]
      : []),
    ...[cgroup, shadowOf(cgroup)].filter(existsSync).map((group) => `processes or groups in ${group}`),
    ...["machines", "volumes"]
      .map((name) => join(directory, name))
      .filter((path) => existsSync(path))
      .map((path) => `files in ${path}`),
  ];
}
