import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "./program.ts";

const bytesPerGiB = 1024 ** 3;
const blockDevices = "/sys/block";

/** A block device of the host. */
export interface LoopDevice {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
}

/** The volumes of an environment: sparse files, each behind a loop device while it is attached. */
export class Volumes {
  readonly #directory: string;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, "volumes");
  }

  /** Takes no room until it is written to. Made under another name first: a volume is whole or not there. */
  async create(volumeId: string, sizeGiB: number): Promise<void> {
    const path = this.#path(volumeId);
    if (existsSync(path)) return;
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const unfinished = `${path}.new`;
    const file = await open(unfinished, "w", 0o600);
    try {
      await file.truncate(sizeGiB * bytesPerGiB);
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  }

  /** Grows the volume, also while it is attached; never shrinks it. */
  async resize(volumeId: string, sizeGiB: number): Promise<void> {
    const path = this.#path(volumeId);
    const { size } = await stat(path);
    if (size < sizeGiB * bytesPerGiB) await truncate(path, sizeGiB * bytesPerGiB);
    for (const device of await loopDevicesOf(path)) {
      await runProgram("losetup", ["--set-capacity", `/dev/${device.name}`]);
    }
  }

  async remove(volumeId: string): Promise<void> {
    await this.close(volumeId);
    await rm(this.#path(volumeId), { force: true });
  }

  /** The volume's block device on the host, made when there is none. */
  async open(volumeId: string): Promise<LoopDevice> {
    const path = this.#path(volumeId);
    const [present] = await loopDevicesOf(path);
    if (present !== undefined) return present;
    await runProgram("losetup", ["--find", "--nooverlap", path]);
    const [made] = await loopDevicesOf(path);
    if (made === undefined) throw new Error(`losetup made no device for ${path}.`);
    return made;
  }

  async close(volumeId: string): Promise<void> {
    for (const device of await loopDevicesOf(this.#path(volumeId))) await detachLoopDevice(device);
  }

  #path(volumeId: string): string {
    return join(this.#directory, volumeId);
  }
}

/** Loop devices whose file is `path` or lies below it, deleted files included. */
export async function loopDevicesOf(path: string): Promise<LoopDevice[]> {
  const found: LoopDevice[] = [];
  for (const name of await readdir(blockDevices)) {
    if (!name.startsWith("loop")) continue;
    const file = await readAttribute(name, "loop/backing_file");
    if (file === undefined || !(belongs(file, path) || belongs(file.replace(/ \(deleted\)$/, ""), path))) {
      continue;
    }
    const [major, minor] = ((await readAttribute(name, "dev")) ?? "").split(":").map(Number);
    if (major !== undefined && minor !== undefined) found.push({ name, major, minor });
  }
  return found;
}

function belongs(file: string, path: string): boolean {
  return file === path || file.startsWith(`${path}/`);
}

export async function detachLoopDevice(device: LoopDevice): Promise<void> {
  await runProgram("losetup", ["--detach", `/dev/${device.name}`]);
}

async function readAttribute(device: string, attribute: string): Promise<string | undefined> {
  try {
    return (await readFile(join(blockDevices, device, attribute), "utf8")).trim();
  } catch (error) {
    // A device without a file has no such attribute; one that is going away answers ENXIO.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENXIO" || code === "ENODEV") return undefined;
    throw error;
  }
}
