import type { MachineDriver } from "../../machines/driver.ts";
import type { Ec2State, VolumeRecord } from "./state.ts";

export interface VolumeWorkOptions {
  readonly state: Ec2State;
  readonly driver: MachineDriver;
  readonly now: () => Date;
  /** Hears of what went wrong behind an answer that was given already. */
  readonly onError: (error: unknown) => void;
}

/** Makes volumes follow their records: the record first, then the volume, then the record that it is done. */
export class VolumeWork {
  readonly #options: VolumeWorkOptions;
  readonly #state: Ec2State;
  readonly #driver: MachineDriver;

  constructor(options: VolumeWorkOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#driver = options.driver;
  }

  /** Ends what a killed control plane had begun. */
  async recover(): Promise<void> {
    for (const { volumeId, state, attachment } of this.#state.volumes.list()) {
      if (state === "creating") this.create(volumeId);
      if (state === "deleting") await this.remove(volumeId);
      if (attachment?.state === "attaching") {
        await this.#driver.attachVolume(volumeId, attachment.instanceId);
        this.setAttached(volumeId);
      }
      if (attachment?.state === "detaching") await this.detach(volumeId);
    }
  }

  /** The volume becomes available once it is there. */
  create(volumeId: string): void {
    const volume = this.#state.volumes.get(volumeId);
    if (volume === undefined) return;
    this.#driver.createVolume(volumeId, volume.sizeGiB).then(
      () => this.#update(volumeId, (current) => ({ ...current, state: "available" })),
      (error: unknown) => {
        this.#update(volumeId, (current) => ({ ...current, state: "error" }));
        this.#options.onError(error);
      },
    );
  }

  async remove(volumeId: string): Promise<void> {
    this.#update(volumeId, (current) => ({ ...current, state: "deleting" }));
    await this.#driver.removeVolume(volumeId);
    this.#state.volumes.delete(volumeId);
  }

  async attach(volumeId: string, instanceId: string, device: string): Promise<void> {
    const attachedAt = this.#options.now().toISOString();
    this.#update(volumeId, (current) => ({
      ...current,
      state: "in-use",
      attachment: { instanceId, device, attachedAt, state: "attaching" },
    }));
    try {
      await this.#driver.attachVolume(volumeId, instanceId);
    } catch (error) {
      await this.detach(volumeId);
      throw error;
    }
    this.setAttached(volumeId);
  }

  async detach(volumeId: string): Promise<void> {
    const attachment = this.#state.volumes.get(volumeId)?.attachment;
    if (attachment == null) return;
    this.#update(volumeId, (current) => ({ ...current, attachment: { ...attachment, state: "detaching" } }));
    await this.#driver.detachVolume(volumeId, attachment.instanceId);
    this.setFree(volumeId);
  }

  async resize(volumeId: string, sizeGiB: number): Promise<void> {
    await this.#driver.resizeVolume(volumeId, sizeGiB);
    this.#update(volumeId, (current) => ({ ...current, sizeGiB }));
  }

  setAttached(volumeId: string): void {
    this.#update(volumeId, (current) =>
      current.attachment === null
        ? current
        : { ...current, attachment: { ...current.attachment, state: "attached" } },
    );
  }

  setFree(volumeId: string): void {
    this.#update(volumeId, (current) => ({ ...current, state: "available", attachment: null }));
  }

  #update(volumeId: string, change: (current: VolumeRecord) => VolumeRecord): void {
    const current = this.#state.volumes.get(volumeId);
    if (current !== undefined) this.#state.volumes.put(volumeId, change(current));
  }
}
