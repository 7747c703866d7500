/**
 * What the EC2 and SSM endpoints need of machines. `NspawnDriver` boots real ones; tests of workflows use one on paper.
 * Every verb can be repeated.
 */
export interface MachineSpec {
  /** i-… */
  readonly instanceId: string;
  readonly hostname: string;
  readonly interface: MachineInterface;
  /** Directory of an image, as `ensureNodeImage` returns it. */
  readonly imagePath: string;
}

export interface MachineInterface {
  /** eni-… */
  readonly networkInterfaceId: string;
  readonly address: string;
  readonly macAddress: string;
  readonly zone: string;
}

/** Ingress that is let in; everything else but established connections and ICMP is dropped. */
export interface IngressPermission {
  /** `all` takes no notice of the ports. */
  readonly protocol: "tcp" | "udp" | "all";
  readonly fromPort: number;
  readonly toPort: number;
  readonly cidrs: readonly string[];
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface MachineDriver {
  /** Returns when systemd in the machine takes commands. */
  boot(machine: MachineSpec): Promise<void>;
  /** Orderly shutdown; the root file system stays until `remove`. */
  stop(instanceId: string): Promise<void>;
  /** Pulls the plug: every process of the machine is killed. */
  kill(instanceId: string): Promise<void>;
  /** Kills what runs and removes root file system and network of the machine. */
  remove(instanceId: string): Promise<void>;
  isRunning(instanceId: string): Promise<boolean>;
  /** Of a machine that does not run: 0 when it shut itself down, null when it was killed or stopped from outside. */
  exitStatus(instanceId: string): Promise<number | null>;

  /** Runs a program inside the machine as root. Rejects when the machine is not running. */
  execute(
    instanceId: string,
    command: {
      readonly argv: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
      readonly stdin?: string;
      readonly timeoutSeconds: number;
      readonly outputBytesMax: number;
    },
  ): Promise<CommandResult>;

  createVolume(volumeId: string, sizeGiB: number): Promise<void>;
  /** Grows a volume, attached or not. The file system in it is its owner's business. */
  resizeVolume(volumeId: string, sizeGiB: number): Promise<void>;
  removeVolume(volumeId: string): Promise<void>;
  attachVolume(volumeId: string, instanceId: string): Promise<void>;
  detachVolume(volumeId: string, instanceId: string): Promise<void>;

  /** Replaces what the machine's network lets in. */
  applyIngress(instanceId: string, permissions: readonly IngressPermission[]): Promise<void>;
}
