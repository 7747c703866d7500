import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { IngressPermission, MachineSpec } from "./driver.ts";
import type { LoopDevice } from "./volumes.ts";

/** What the host keeps of a machine, so that it can be booted again by its id alone. */
export interface MachineRecord {
  readonly spec: MachineSpec | null;
  readonly volumes: readonly AttachedVolume[];
  readonly ingress: readonly IngressPermission[];
}

export interface AttachedVolume {
  readonly volumeId: string;
  /** Name of the block device inside the machine. */
  readonly device: string;
}

/** What a machine finds outside of itself. */
export interface Surroundings {
  /** Name → address. */
  readonly names: Readonly<Record<string, string>>;
  /** PEM of a CA that it trusts. */
  readonly authority: string | null;
}

/** Where Debian's programs look for the CAs that they trust. */
const trustedAuthorities = "etc/ssl/certs/ca-certificates.crt";

const emptyRecord: MachineRecord = { spec: null, volumes: [], ingress: [] };

/** Where systemd-tmpfiles in the machine finds the block devices to make at boot. */
export const devicesFile = "/etc/tmpfiles.d/pgherd-volumes.conf";

/** The files of one machine: its record and its own layer over the image. */
export class MachineFiles {
  readonly directory: string;

  constructor(stateDirectory: string, instanceId: string) {
    this.directory = join(stateDirectory, "machines", instanceId);
  }

  exists(): boolean {
    return existsSync(this.directory);
  }

  async read(): Promise<MachineRecord> {
    const path = join(this.directory, "machine.json");
    if (!existsSync(path)) return emptyRecord;
    return JSON.parse(await readFile(path, "utf8")) as MachineRecord;
  }

  async update(changes: Partial<MachineRecord>): Promise<MachineRecord> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const record = { ...(await this.read()), ...changes };
    const path = join(this.directory, "machine.json");
    await writeFile(`${path}.new`, JSON.stringify(record, null, 2), { mode: 0o600 });
    await rename(`${path}.new`, path);
    return record;
  }

  /**
   * The machine's own layer, written while nothing has it mounted: its names, its id, its block devices, whom it knows
   * and trusts.
   * @param lower the image's directories, uppermost first.
   */
  async prepareRoot(
    spec: MachineSpec,
    devices: string,
    lower: readonly string[],
    surroundings: Surroundings,
  ): Promise<void> {
    const upper = join(this.directory, "upper");
    await rm(join(this.directory, "work"), { recursive: true, force: true });
    for (const name of ["upper", "work", "root"])
      await mkdir(join(this.directory, name), { recursive: true });
    await this.forgetExit();
    await mkdir(join(upper, "etc", "tmpfiles.d"), { recursive: true });
    await writeFile(join(upper, devicesFile), devices);
    await writeFile(join(upper, "etc", "hosts"), hostsOf(spec, surroundings.names));
    if (surroundings.authority !== null) await trust(upper, lower, surroundings.authority);
    if (existsSync(join(upper, "etc", "machine-id"))) return;
    await writeFile(join(upper, "etc", "hostname"), `${spec.hostname}\n`);
    // Last: where it is, everything above is.
    await writeFile(join(upper, "etc", "machine-id"), `${randomUUID().replaceAll("-", "")}\n`);
  }

  /** What the supervisor noted when the machine ended by itself; null when it was killed, or runs. */
  async exitStatus(): Promise<number | null> {
    const path = join(this.directory, "exit");
    return existsSync(path) ? Number(await readFile(path, "utf8")) : null;
  }

  async forgetExit(): Promise<void> {
    await rm(join(this.directory, "exit"), { force: true });
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

function hostsOf(spec: MachineSpec, names: Readonly<Record<string, string>>): string {
  const known = { localhost: "127.0.0.1", [spec.hostname]: spec.interface.address, ...names };
  return Object.entries(known)
    .map(([name, address]) => `${address} ${name}\n`)
    .join("");
}

async function trust(upper: string, lower: readonly string[], authority: string): Promise<void> {
  const image = lower
    .map((directory) => join(directory, trustedAuthorities))
    .find((path) => existsSync(path));
  const trusted = image === undefined ? "" : await readFile(image, "utf8");
  const own = join(upper, trustedAuthorities);
  await mkdir(dirname(own), { recursive: true });
  await writeFile(own, `${trusted.trimEnd()}\n${authority}`);
}

export async function listMachines(stateDirectory: string): Promise<string[]> {
  const directory = join(stateDirectory, "machines");
  return existsSync(directory) ? readdir(directory) : [];
}

/** As on EC2's Nitro: the volume's id without its dash, whatever the device's name. */
export function deviceLink(volumeId: string): string {
  return `/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volumeId.replace("-", "")}`;
}

/** Rules of systemd-tmpfiles that make the block devices of the attached volumes. */
export function deviceRules(volumes: readonly (AttachedVolume & { readonly loop: LoopDevice })[]): string {
  const rules = volumes.flatMap(({ volumeId, device, loop }) => [
    `b+ /dev/${device} 0660 root disk - ${loop.major}:${loop.minor}`,
    `L+ ${deviceLink(volumeId)} - - - - ../../${device}`,
  ]);
  return rules.length === 0 ? "" : `d /dev/disk/by-id 0755 root root -\n${rules.join("\n")}\n`;
}

/** The first free name; the root file system would be nvme0n1. */
export function freeDevice(volumes: readonly AttachedVolume[]): string {
  const taken = new Set(volumes.map((volume) => volume.device));
  for (let number = 1; ; number += 1) {
    if (!taken.has(`nvme${number}n1`)) return `nvme${number}n1`;
  }
}
