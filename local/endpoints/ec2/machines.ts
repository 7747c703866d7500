import type { MachineDriver, MachineSpec } from "../../machines/driver.ts";
import { Queues } from "../../machines/queues.ts";
import { refersTo } from "./groups.ts";
import { machinePermissions } from "./permissions.ts";
import type { Ec2State, InstanceRecord, InterfaceRecord } from "./state.ts";
import { VolumeWork } from "./volume-work.ts";

export interface MachinesOptions {
  readonly state: Ec2State;
  readonly driver: MachineDriver;
  /** The image that every instance boots, whatever the launch template's AMI is called. */
  readonly imagePath: string;
  readonly now: () => Date;
  /** Hears of what went wrong behind an answer that was given already. */
  readonly onError: (error: unknown) => void;
}

/** A machine that ends this late after it was told to is killed: what needs longer belongs before TerminateInstances. */
const terminationGraceMs = 10_000;
/** As on EC2: what is terminated shows for about an hour. */
const terminatedVisibleMs = 3_600_000;
/** How soon a machine that ended by itself shows up as stopped. */
const watchIntervalMs = 1_000;

/**
 * Makes machines follow the records: a call writes what is wanted, then the machine is brought there. Whatever was
 * under way when the control plane died is taken up again by {@link recover}.
 */
export class Machines {
  readonly volumes: VolumeWork;
  readonly #options: MachinesOptions;
  readonly #state: Ec2State;
  readonly #driver: MachineDriver;
  readonly #queues = new Queues();
  #watch: NodeJS.Timeout | null = null;

  constructor(options: MachinesOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#driver = options.driver;
    this.volumes = new VolumeWork(options);
  }

  /** Takes up what was under way and starts what should run and does not. Returns when all of it has settled. */
  async recover(): Promise<void> {
    const ids = this.#state.instances.list().map((instance) => instance.instanceId);
    await Promise.all(ids.map((instanceId) => this.#noticeEnd(instanceId, true)));
    await Promise.all(ids.map((instanceId) => this.advance(instanceId)));
    await this.volumes.recover();
    await this.refreshIngress(this.#state.groups.list().map((group) => group.groupId));
  }

  /** Shuts every machine down; records keep their intent, so that {@link recover} starts the same ones again. */
  async suspend(): Promise<void> {
    this.unwatch();
    const living = this.#state.instances.list().filter((one) => one.state !== "terminated");
    await Promise.all(
      living.map(({ instanceId }) => this.#queues.run(instanceId, () => this.#driver.stop(instanceId))),
    );
  }

  /** Notices machines that end by themselves. */
  watch(): void {
    if (this.#watch !== null) return;
    let looking = false;
    this.#watch = setInterval(() => {
      if (looking) return;
      looking = true;
      this.#forgetTerminated();
      const running = this.#state.instances.list().filter((one) => one.state === "running");
      Promise.all(running.map((one) => this.#noticeEnd(one.instanceId, false)))
        .catch(this.#options.onError)
        .finally(() => {
          looking = false;
        });
    }, watchIntervalMs);
    this.#watch.unref();
  }

  #forgetTerminated(): void {
    const before = this.#options.now().getTime() - terminatedVisibleMs;
    for (const { instanceId, terminatedAt } of this.#state.instances.list()) {
      if (terminatedAt !== null && Date.parse(terminatedAt) < before)
        this.#state.instances.delete(instanceId);
    }
  }

  unwatch(): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
  }

  /** Brings a machine to where its record wants it. Failures end up in the record. */
  advance(instanceId: string): Promise<void> {
    return this.#queues
      .run(instanceId, async () => {
        const instance = this.#state.instances.get(instanceId);
        if (instance?.state === "pending") await this.#boot(instance);
        else if (instance?.state === "stopping") await this.#stop(instance);
        else if (instance?.state === "shutting-down") await this.#terminate(instance);
      })
      .catch(this.#options.onError);
  }

  /** Ends a machine without asking it, also one that is still booting. */
  pullPlug(instanceId: string): void {
    this.#driver.kill(instanceId).catch(this.#options.onError);
  }

  /** A machine that does not answer, or is not there any more, is started anew. */
  reboot(instanceId: string): void {
    this.#queues
      .run(instanceId, async () => {
        const instance = this.#state.instances.get(instanceId);
        if (instance === undefined || instance.intent !== "run") return;
        if (await this.#rebootsItself(instanceId)) return;
        await this.#driver.kill(instanceId);
        await this.#boot(instance);
      })
      .catch(this.#options.onError);
  }

  async #rebootsItself(instanceId: string): Promise<boolean> {
    if (!(await this.#driver.isRunning(instanceId))) return false;
    try {
      const argv = ["systemctl", "reboot"];
      const limits = { environment: {}, timeoutSeconds: 10, outputBytesMax: 4096 };
      return (await this.#driver.execute(instanceId, { argv, ...limits })).exitCode === 0;
    } catch (error) {
      this.#options.onError(error);
      return false;
    }
  }

  async #boot(instance: InstanceRecord): Promise<void> {
    const { instanceId } = instance;
    try {
      const volumes = this.#state.volumesOf(instanceId);
      for (const volume of volumes) await this.#driver.attachVolume(volume.volumeId, instanceId);
      await this.#applyIngress(instanceId);
      await this.#driver.boot(this.#specOf(instance));
      for (const volume of volumes) this.volumes.setAttached(volume.volumeId);
      this.#update(instanceId, (current) =>
        current.intent === "run" ? { ...current, state: "running", stateReason: null } : current,
      );
    } catch (error) {
      // Whoever stops or terminates a machine while it boots makes its boot fail, and is told by the record.
      if (this.#state.instances.get(instanceId)?.intent !== "run") return;
      this.#options.onError(error);
      const message = error instanceof Error ? error.message : String(error);
      await this.#failed(instanceId, message);
    }
  }

  /** As on EC2: an instance that fails at its launch is terminated, one that fails later stays stopped. */
  async #failed(instanceId: string, message: string): Promise<void> {
    const stateReason = { code: "Server.InternalError", message };
    const instance = this.#state.instances.get(instanceId);
    if (instance === undefined) return;
    if (instance.everRan) {
      await this.#driver.kill(instanceId);
      this.#update(instanceId, (current) => ({ ...current, state: "stopped", stateReason }));
      return;
    }
    this.#update(instanceId, (current) => ({
      ...current,
      state: "shutting-down",
      intent: "terminate",
      stateReason,
    }));
    await this.#terminate({ ...instance, stateReason });
  }

  async #stop(instance: InstanceRecord): Promise<void> {
    await this.#driver.stop(instance.instanceId);
    this.#update(instance.instanceId, (current) => ({ ...current, state: "stopped" }));
  }

  async #terminate(instance: InstanceRecord): Promise<void> {
    const { instanceId } = instance;
    if (await this.#driver.isRunning(instanceId)) await this.#stopInTime(instanceId);
    await this.#driver.remove(instanceId);
    for (const volume of this.#state.volumesOf(instanceId)) {
      await this.#driver.detachVolume(volume.volumeId, instanceId);
    }
    const groups = this.#release(instanceId);
    await this.refreshIngress(groups);
  }

  async #stopInTime(instanceId: string): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const killed = new Promise<void>((resolve, reject) => {
      late = setTimeout(() => this.#driver.kill(instanceId).then(resolve, reject), terminationGraceMs);
    });
    try {
      await Promise.race([this.#driver.stop(instanceId), killed]);
    } finally {
      clearTimeout(late);
    }
  }

  /** The instance is gone; its interface and its volumes are free. @returns groups that lost an interface. */
  #release(instanceId: string): readonly string[] {
    return this.#state.documents.transaction(() => {
      const deleted: InterfaceRecord[] = [];
      for (const one of this.#state.interfaces.list()) {
        if (one.attachment?.instanceId !== instanceId) continue;
        if (one.attachment.deleteOnTermination) {
          deleted.push(one);
          this.#state.interfaces.delete(one.networkInterfaceId);
        } else this.#state.interfaces.put(one.networkInterfaceId, { ...one, attachment: null });
      }
      for (const volume of this.#state.volumesOf(instanceId)) this.volumes.setFree(volume.volumeId);
      this.#update(instanceId, (current) => ({
        ...current,
        state: "terminated",
        terminatedAt: this.#options.now().toISOString(),
      }));
      return deleted.flatMap((one) => one.groupIds);
    });
  }

  /** A machine that ended without being told to: it shut down by itself, or it crashed. */
  async #noticeEnd(instanceId: string, restart: boolean): Promise<void> {
    await this.#queues.run(instanceId, async () => {
      const instance = this.#state.instances.get(instanceId);
      if (instance === undefined || instance.intent !== "run" || instance.state === "pending") return;
      if (await this.#driver.isRunning(instanceId)) return;
      const shutDown = (await this.#driver.exitStatus(instanceId)) === 0;
      this.#update(instanceId, (current) => {
        if (shutDown) return { ...current, state: "stopped", intent: "stop", stateReason: shutDownReason };
        if (restart) return { ...current, state: "pending", stateReason: null };
        return { ...current, state: "stopped", stateReason: crashReason };
      });
    });
  }

  /** Applies the rules of these groups, and of those that name them as a source, to all machines they concern. */
  async refreshIngress(groupIds: readonly string[]): Promise<void> {
    const concerned = new Set(groupIds);
    for (const group of this.#state.groups.list()) {
      if (groupIds.some((groupId) => refersTo(group, groupId))) concerned.add(group.groupId);
    }
    const instanceIds = this.#state.interfaces
      .list()
      .filter((one) => one.groupIds.some((groupId) => concerned.has(groupId)))
      .flatMap((one) => one.attachment?.instanceId ?? []);
    await Promise.all(instanceIds.map((instanceId) => this.#applyIngress(instanceId)));
  }

  async #applyIngress(instanceId: string): Promise<void> {
    // In a queue of its own: the rules are those of the moment at which they are applied.
    await this.#queues.run(`${instanceId}/ingress`, async () => {
      const instance = this.#state.instances.get(instanceId);
      const one = this.#state.interfaces.get(instance?.networkInterfaceId ?? "");
      if (one === undefined || instance?.state === "terminated") return;
      await this.#driver.applyIngress(instanceId, machinePermissions(this.#state, one.groupIds));
    });
  }

  #specOf(instance: InstanceRecord): MachineSpec {
    const one = this.#state.interfaces.get(instance.networkInterfaceId);
    if (one === undefined) throw new Error(`${instance.instanceId} has lost its network interface`);
    const { networkInterfaceId, address, macAddress, zone } = one;
    return {
      instanceId: instance.instanceId,
      hostname: instance.hostname,
      interface: { networkInterfaceId, address, macAddress, zone },
      imagePath: this.#options.imagePath,
    };
  }

  #update(instanceId: string, change: (current: InstanceRecord) => InstanceRecord): void {
    const current = this.#state.instances.get(instanceId);
    if (current === undefined) return;
    const changed = change(current);
    const everRan = current.everRan || changed.state === "running";
    this.#state.instances.put(instanceId, { ...changed, everRan });
  }
}

const shutDownReason = {
  code: "Client.InstanceInitiatedShutdown",
  message: "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
};
const crashReason = {
  code: "Server.InternalError",
  message: "Server.InternalError: The machine ended without shutting down",
};
