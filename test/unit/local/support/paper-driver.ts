import type {
  CommandResult,
  IngressPermission,
  MachineDriver,
  MachineSpec,
} from "../../../../local/machines/driver.ts";

/** Machines on paper: what they were told to do is kept, and a test decides how it goes. */
export class PaperDriver implements MachineDriver {
  readonly running = new Set<string>();
  readonly boots: string[] = [];
  readonly commands: string[] = [];
  readonly volumes = new Map<string, number>();
  /** Volume → instance. */
  readonly attached = new Map<string, string>();
  readonly ingress = new Map<string, readonly IngressPermission[]>();
  readonly exits = new Map<string, number>();
  readonly addresses = new Map<string, string>();
  bootError: Error | null = null;
  /** Boots wait for this; a kill ends the wait with an error, as it does on real machines. */
  hold: Promise<void> | null = null;
  readonly #kills = new Map<string, () => void>();

  async boot(machine: MachineSpec): Promise<void> {
    this.boots.push(machine.instanceId);
    if (this.hold !== null) {
      const killed = new Promise<never>((_, reject) => {
        this.#kills.set(machine.instanceId, () => reject(new Error("killed while it booted")));
      });
      await Promise.race([this.hold, killed]);
    }
    if (this.bootError !== null) throw this.bootError;
    this.addresses.set(machine.instanceId, machine.interface.address);
    this.exits.delete(machine.instanceId);
    this.running.add(machine.instanceId);
  }

  async stop(instanceId: string): Promise<void> {
    this.running.delete(instanceId);
  }

  async kill(instanceId: string): Promise<void> {
    this.#kills.get(instanceId)?.();
    this.running.delete(instanceId);
  }

  async remove(instanceId: string): Promise<void> {
    await this.kill(instanceId);
    this.ingress.delete(instanceId);
  }

  async isRunning(instanceId: string): Promise<boolean> {
    return this.running.has(instanceId);
  }

  async exitStatus(instanceId: string): Promise<number | null> {
    return this.exits.get(instanceId) ?? null;
  }

  async execute(instanceId: string, command: { argv: readonly string[] }): Promise<CommandResult> {
    if (!this.running.has(instanceId)) throw new Error(`${instanceId} is not running`);
    this.commands.push(`${instanceId}: ${command.argv.join(" ")}`);
    return { exitCode: 0, stdout: "", stderr: "" };
  }

  async createVolume(volumeId: string, sizeGiB: number): Promise<void> {
    this.volumes.set(volumeId, sizeGiB);
  }
  async resizeVolume(volumeId: string, sizeGiB: number): Promise<void> {
    this.volumes.set(volumeId, sizeGiB);
  }
  async removeVolume(volumeId: string): Promise<void> {
    this.volumes.delete(volumeId);
  }
  async attachVolume(volumeId: string, instanceId: string): Promise<void> {
    this.attached.set(volumeId, instanceId);
  }
  async detachVolume(volumeId: string): Promise<void> {
    this.attached.delete(volumeId);
  }
  async applyIngress(instanceId: string, permissions: readonly IngressPermission[]): Promise<void> {
    this.ingress.set(instanceId, permissions);
  }
}
