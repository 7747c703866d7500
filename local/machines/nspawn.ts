import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Cgroup } from "./cgroup.ts";
import type { CommandResult, IngressPermission, MachineDriver, MachineSpec } from "./driver.ts";
import { type EnteredCommand, enterMachine } from "./enter.ts";
import { lowerDirectories } from "./image.ts";
import type { AttachedVolume, MachineRecord } from "./machine-files.ts";
import {
  deviceLink,
  deviceRules,
  devicesFile,
  freeDevice,
  listMachines,
  MachineFiles,
  type Surroundings,
} from "./machine-files.ts";
import {
  createMachineNetwork,
  type NetworkSettings,
  namespacePath,
  portOf,
  removeMachineNetwork,
  setIngress,
} from "./network.ts";
import { Queues } from "./queues.ts";
import { Volumes } from "./volumes.ts";
import { poll } from "./wait.ts";

/** A boot takes about a second; ten machines that boot at once on two busy cores took less than twenty. */
const bootTimeoutMs = 60_000;
/** PostgreSQL writes its last checkpoint within this, or the plug is pulled, as EC2 does after some minutes. */
const stopTimeoutMs = 90_000;
/** How long a machine that reboots itself has no process 1. */
const leaderTimeoutMs = 10_000;
/** systemd's answers to us are one word. */
const shortCommand = { environment: {}, timeoutSeconds: 20, outputBytesMax: 64 * 1024 };

const supervisor = fileURLToPath(new URL("supervisor.sh", import.meta.url));

/** The machine is off, so nothing can be run in it. */
export class MachineNotRunningError extends Error {
  constructor(instanceId: string) {
    super(`${instanceId} is not running.`);
    this.name = "MachineNotRunningError";
  }
}

export interface NspawnDriverOptions extends NetworkSettings {
  readonly stateDirectory: string;
  /** Names that machines know, and their addresses. */
  readonly names?: Readonly<Record<string, string>>;
  /** PEM of a CA that machines trust beside those of their image. */
  readonly authority?: string;
}

/**
 * Machines by systemd-nspawn: a file system of its own over the image, a network namespace on the environment's
 * bridge, a control group that holds every process. They belong to nobody and outlive whoever booted them.
 */
export class NspawnDriver implements MachineDriver {
  readonly #network: NetworkSettings;
  readonly #stateDirectory: string;
  readonly #surroundings: Surroundings;
  readonly #volumes: Volumes;
  /** One change at a time to a machine. */
  readonly #queues = new Queues();

  constructor(options: NspawnDriverOptions) {
    mkdirSync(options.stateDirectory, { recursive: true, mode: 0o700 });
    // The kernel reports loop devices by their real paths.
    this.#stateDirectory = realpathSync(options.stateDirectory);
    if (/[:,\\]/.test(this.#stateDirectory)) {
      throw new Error(
        `The state directory ${this.#stateDirectory} has a character (: , \\) that overlay mounts cannot take.`,
      );
    }
    this.#network = { bridge: options.bridge, cidr: options.cidr };
    this.#surroundings = { names: options.names ?? {}, authority: options.authority ?? null };
    this.#volumes = new Volumes(this.#stateDirectory);
  }

  boot(machine: MachineSpec): Promise<void> {
    return this.#queues.run(machine.instanceId, async () => {
      const cgroup = this.#cgroup(machine.instanceId);
      const files = this.#files(machine.instanceId);
      const record = await files.update({ spec: machine });
      const runs = await cgroup.populated();
      const child = runs ? null : await this.#start(machine, record, cgroup, files);
      await this.#awaitBooted(machine.instanceId, cgroup, files, child);
    });
  }

  stop(instanceId: string): Promise<void> {
    return this.#queues.run(instanceId, async () => {
      const cgroup = this.#cgroup(instanceId);
      const leader = await cgroup.leader();
      if (leader !== undefined) {
        await enterMachine(leader, { ...shortCommand, argv: ["systemctl", "poweroff"] });
        await cgroup.awaitEmpty(stopTimeoutMs);
      }
      await this.#powerOff(instanceId);
    });
  }

  async kill(instanceId: string): Promise<void> {
    // At once, even while something else is under way with the machine; then again in turn, for good.
    await this.#pullPlug(instanceId);
    await this.#queues.run(instanceId, () => this.#powerOff(instanceId));
  }

  async remove(instanceId: string): Promise<void> {
    await this.#pullPlug(instanceId);
    await this.#queues.run(instanceId, async () => {
      await this.#powerOff(instanceId);
      const files = this.#files(instanceId);
      for (const { volumeId } of (await files.read()).volumes) await this.#volumes.close(volumeId);
      await files.remove();
      await this.#cgroup(instanceId).remove();
      await removeNspawnTraces(instanceId);
    });
  }

  /** Every machine that has files here, running or not. */
  list(): Promise<string[]> {
    return listMachines(this.#stateDirectory);
  }

  isRunning(instanceId: string): Promise<boolean> {
    return this.#cgroup(instanceId).populated();
  }

  exitStatus(instanceId: string): Promise<number | null> {
    return this.#files(instanceId).exitStatus();
  }

  async execute(instanceId: string, command: EnteredCommand): Promise<CommandResult> {
    return enterMachine(await this.#leader(instanceId), command);
  }

  createVolume(volumeId: string, sizeGiB: number): Promise<void> {
    return this.#queues.run(volumeId, () => this.#volumes.create(volumeId, sizeGiB));
  }

  resizeVolume(volumeId: string, sizeGiB: number): Promise<void> {
    return this.#queues.run(volumeId, () => this.#volumes.resize(volumeId, sizeGiB));
  }

  removeVolume(volumeId: string): Promise<void> {
    return this.#queues.run(volumeId, () => this.#volumes.remove(volumeId));
  }

  attachVolume(volumeId: string, instanceId: string): Promise<void> {
    return this.#queues.run(instanceId, async () => {
      const files = this.#files(instanceId);
      const { volumes } = await files.read();
      const present = volumes.some((volume) => volume.volumeId === volumeId);
      const attached = present ? volumes : [...volumes, { volumeId, device: freeDevice(volumes) }];
      await files.update({ volumes: attached });
      const rules = await this.#deviceRules(attached);
      if (await this.isRunning(instanceId)) await this.#makeDevices(instanceId, rules);
    });
  }

  detachVolume(volumeId: string, instanceId: string): Promise<void> {
    return this.#queues.run(instanceId, async () => {
      const files = this.#files(instanceId);
      if (files.exists()) {
        const { volumes } = await files.read();
        const gone = volumes.find((volume) => volume.volumeId === volumeId);
        const kept = volumes.filter((volume) => volume !== gone);
        await files.update({ volumes: kept });
        if (gone !== undefined && (await this.isRunning(instanceId))) {
          await this.#inside(instanceId, ["rm", "-f", `/dev/${gone.device}`, deviceLink(volumeId)]);
          await this.#makeDevices(instanceId, await this.#deviceRules(kept));
        }
      }
      await this.#volumes.close(volumeId);
    });
  }

  applyIngress(instanceId: string, permissions: readonly IngressPermission[]): Promise<void> {
    return this.#queues.run(instanceId, async () => {
      await this.#files(instanceId).update({ ingress: permissions });
      if (existsSync(namespacePath(this.#network.bridge, instanceId))) {
        await setIngress(this.#network.bridge, instanceId, permissions);
      }
    });
  }

  async #start(
    machine: MachineSpec,
    record: MachineRecord,
    cgroup: Cgroup,
    files: MachineFiles,
  ): Promise<ChildProcess> {
    const [lower, rules] = await Promise.all([
      lowerDirectories(machine.imagePath),
      this.#deviceRules(record.volumes),
      createMachineNetwork(this.#network, machine.instanceId, machine.interface, record.ingress),
      cgroup.create(),
    ]);
    await files.prepareRoot(machine, rules, lower, this.#surroundings);
    return this.#spawnSupervisor(machine, cgroup, files, lower);
  }

  #spawnSupervisor(
    machine: MachineSpec,
    cgroup: Cgroup,
    files: MachineFiles,
    lower: readonly string[],
  ): ChildProcess {
    const namespace = namespacePath(this.#network.bridge, machine.instanceId);
    const port = portOf(machine.interface.networkInterfaceId);
    const child = spawn(
      "unshare",
      // Slave: an unmount on the host reaches the machine's view too, so that it holds nothing of the host.
      [
        ...["--mount", "--propagation", "slave", "/bin/sh", supervisor],
        ...[cgroup.path, lower.join(":"), files.directory, port],
        ...nspawnCommand(machine.instanceId, join(files.directory, "root"), namespace),
      ],
      {
        detached: true,
        stdio: "ignore",
        cwd: "/",
        env: {
          PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
          // Also where the host itself still has version 1 of control groups.
          SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
          // The control group is our lock; systemd-nspawn's own would leave files behind when it is killed.
          SYSTEMD_NSPAWN_LOCK: "0",
        },
      },
    );
    child.unref();
    return child;
  }

  async #awaitBooted(
    instanceId: string,
    cgroup: Cgroup,
    files: MachineFiles,
    child: ChildProcess | null,
  ): Promise<void> {
    let failure: Error | undefined;
    child?.once("error", (error) => {
      failure = error;
    });
    const booted = await poll(
      async () => {
        if (failure !== undefined || (child !== null && hasEnded(child))) return false;
        return (await readyLeader(cgroup)) === undefined ? undefined : true;
      },
      { timeoutMs: bootTimeoutMs },
    );
    if (booted === true) return;
    const why = booted === false ? "ended while it booted" : `did not boot in ${bootTimeoutMs / 1000} s`;
    const log = await readConsole(files.directory);
    throw new Error(`${instanceId} ${why}. Its console said: ${log}`, { cause: failure });
  }

  /** The link first, so that dying processes cannot say goodbye to anybody. */
  async #pullPlug(instanceId: string): Promise<void> {
    const { spec } = await this.#files(instanceId).read();
    if (spec !== null) await removeMachineNetwork(this.#network, instanceId, spec.interface);
    await this.#cgroup(instanceId).kill();
  }

  async #powerOff(instanceId: string): Promise<void> {
    await this.#pullPlug(instanceId);
    await this.#cgroup(instanceId).remove();
    await this.#files(instanceId).forgetExit();
  }

  async #leader(instanceId: string): Promise<number> {
    const cgroup = this.#cgroup(instanceId);
    const leader = await poll(
      async () => (await readyLeader(cgroup)) ?? ((await cgroup.populated()) ? undefined : null),
      { timeoutMs: leaderTimeoutMs },
    );
    if (leader === null || leader === undefined) throw new MachineNotRunningError(instanceId);
    return leader;
  }

  async #deviceRules(volumes: readonly AttachedVolume[]): Promise<string> {
    const opened = volumes.map(async (volume) => ({
      ...volume,
      loop: await this.#volumes.open(volume.volumeId),
    }));
    return deviceRules(await Promise.all(opened));
  }

  /** For now and, by the file, for every boot to come. */
  async #makeDevices(instanceId: string, rules: string): Promise<void> {
    await this.#inside(instanceId, ["tee", devicesFile], rules);
    await this.#inside(instanceId, ["systemd-tmpfiles", "--create", devicesFile]);
  }

  async #inside(instanceId: string, argv: readonly string[], stdin = ""): Promise<void> {
    const result = await this.execute(instanceId, { ...shortCommand, argv, stdin });
    if (result.exitCode !== 0) {
      throw new Error(`${argv[0]} in ${instanceId} ended with ${result.exitCode}: ${result.stderr.trim()}`);
    }
  }

  #cgroup(instanceId: string): Cgroup {
    return new Cgroup(this.#network.bridge, instanceId);
  }

  #files(instanceId: string): MachineFiles {
    return new MachineFiles(this.#stateDirectory, instanceId);
  }
}

function nspawnCommand(instanceId: string, root: string, namespace: string): string[] {
  return [
    "systemd-nspawn",
    "--quiet",
    // Nothing here depends on the host's own systemd: its process 1 may be something else.
    "--register=no",
    "--keep-unit",
    "--settings=no",
    `--directory=${root}`,
    `--machine=${instanceId}`,
    `--network-namespace-path=${namespace}`,
    "--console=pipe",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
    "--boot",
  ];
}

/** The mark that the image's own unit sets while the machine takes commands. */
const onlineMark = "run/pgherd-online";

/** Process 1 of a machine that takes commands: not before it has booted, not while it goes down. */
async function readyLeader(cgroup: Cgroup): Promise<number | undefined> {
  const leader = await cgroup.leader();
  if (leader === undefined) return undefined;
  return existsSync(`/proc/${leader}/root/${onlineMark}`) ? leader : undefined;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** systemd-nspawn leaves an empty directory behind for each machine. */
export async function removeNspawnTraces(instanceId: string): Promise<void> {
  for (const kind of ["propagate", "unix-export"]) {
    await rm(join("/run/systemd/nspawn", kind, instanceId), { recursive: true, force: true });
  }
}

const consoleCharactersMax = 1_000;

async function readConsole(directory: string): Promise<string> {
  const path = join(directory, "console.log");
  if (!existsSync(path)) return "nothing";
  return (await readFile(path, "utf8")).trim().slice(-consoleCharactersMax) || "nothing";
}
