import type { SecurityRule } from "../domain/cluster/security-rules.ts";

/** Where and for whom a resource is made. */
export interface Placement {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly zone: string;
  /**
   * Where the node had a place before: an interface or volume counts as made only if it was made with the same
   * generation, so that nothing of what is left is used again. One making, however often it is repeated, has one.
   */
  readonly generation?: string;
}

export interface InstanceState {
  readonly instanceId: string;
  readonly nodeId: string;
  readonly instanceType: string;
  readonly state: "pending" | "running" | "shutting-down" | "terminated" | "stopping" | "stopped";
}

/** What EC2 has of a cluster, as far as it is not on its way out. */
export interface Survey {
  readonly instances: readonly {
    readonly instanceId: string;
    readonly nodeId: string;
    readonly instanceType: string;
    readonly state: "pending" | "running" | "stopping" | "stopped";
  }[];
  readonly volumes: readonly {
    readonly volumeId: string;
    readonly nodeId: string;
    readonly sizeGiB: number;
  }[];
  readonly networkInterfaces: readonly {
    readonly networkInterfaceId: string;
    readonly nodeId: string;
  }[];
  /** `stale` also where the security group is gone. */
  readonly securityRules: "current" | "stale";
}

export interface SecurityGroupUse {
  /** The cluster's; null: it has none. */
  readonly securityGroupId: string | null;
  /** `clusterId` is null where the group is no cluster's. */
  readonly namedBy: readonly { readonly securityGroupId: string; readonly clusterId: string | null }[];
}

/** No room for another instance in a zone: the caller may try another one. */
export class CapacityError extends Error {
  readonly zone: string;

  constructor(zone: string, options: { cause: unknown }) {
    super(`zone ${zone} has no capacity for the instance`, options);
    this.name = "CapacityError";
    this.zone = zone;
  }
}

/** EC2 lets a volume be changed only so often, and not while it still changes: the caller has to wait. */
export class VolumeModifiedRecentlyError extends Error {
  readonly code = "volume-modified-recently";

  constructor(volumeId: string, options: { cause: unknown }) {
    const said = options.cause instanceof Error ? options.cause.message : String(options.cause);
    super(
      `volume ${volumeId} cannot grow yet, as EC2 limits how often a volume is changed: ${said}`,
      options,
    );
    this.name = "VolumeModifiedRecentlyError";
  }
}

/** Rules of others name the group, and EC2 keeps it until these are gone. */
export class SecurityGroupInUseError extends Error {
  readonly code = "security-group-in-use";

  constructor({ namedBy, securityGroupId }: SecurityGroupUse, options: { cause: unknown }) {
    const groups = namedBy.map((one) => one.securityGroupId).join(", ");
    super(`security group ${securityGroupId} is named by rules of ${groups}: take them away first`, options);
    this.name = "SecurityGroupInUseError";
  }
}

/**
 * The machines of a cluster. Every `ensure…` finds what an earlier call made; every `remove…` takes
 * "already gone" for success and returns when the thing is gone.
 */
export interface Compute {
  ensureSecurityGroup(
    clusterId: string,
    rules: readonly SecurityRule[],
  ): Promise<{ securityGroupId: string }>;
  /** Lets in what is missing first, then takes away what is too much; the other way round where EC2 has no room for both. */
  applySecurityRules(clusterId: string, rules: readonly SecurityRule[]): Promise<void>;
  removeSecurityGroup(clusterId: string): Promise<void>;
  /** Those of them that are not there, or are in another VPC than the environment's: no rule can name them. */
  unknownSecurityGroups(securityGroupIds: readonly string[]): Promise<readonly string[]>;
  /** Groups of others with rules that name the cluster's: as long as there is one, EC2 removes none. */
  securityGroupUse(clusterId: string): Promise<SecurityGroupUse>;

  ensureNetworkInterface(
    place: Placement,
    securityGroupId: string,
  ): Promise<{ networkInterfaceId: string; address: string }>;
  removeNetworkInterface(clusterId: string, nodeId: string): Promise<void>;
  removeNetworkInterfaceById(networkInterfaceId: string): Promise<void>;

  /** Returns when the volume is available. */
  ensureVolume(place: Placement, sizeGiB: number): Promise<{ volumeId: string }>;
  /**
   * Returns when the volume has at least this size for its instance too; the file system is the node's.
   * @throws {VolumeModifiedRecentlyError}
   */
  growVolume(volumeId: string, sizeGiB: number): Promise<void>;
  removeVolume(clusterId: string, nodeId: string): Promise<void>;
  removeVolumeById(volumeId: string): Promise<void>;

  /**
   * Starts an instance on the node's interface, waits until it runs and attaches the node's volume. A stopped one of
   * the type is started again; one of another type, or on another interface, has to be removed first. Interface and
   * volume outlive the instance.
   * @throws {CapacityError} when the zone has no room.
   */
  ensureInstance(
    place: Placement,
    input: { instanceType: string; networkInterfaceId: string; volumeId: string; deadlineSeconds: number },
  ): Promise<{ instanceId: string }>;
  /**
   * Shuts an instance down in order and waits until it is stopped. Interface, volumes and root file system stay. One
   * that is stopped, or gone, is left alone.
   */
  stopInstance(instanceId: string, deadlineSeconds: number): Promise<void>;
  /**
   * Starts the node's stopped instance again and waits until it runs; one that runs is left alone.
   * Null where there is none to start: `ensureInstance` makes another one.
   * @throws {CapacityError} when the zone has no room.
   */
  startInstance(place: Placement, deadlineSeconds: number): Promise<{ instanceId: string } | null>;
  /** Terminates the node's instances and waits until they are gone. */
  removeInstance(clusterId: string, nodeId: string): Promise<void>;
  /** Terminates it and waits until its interface and volumes are free again. */
  removeInstanceById(instanceId: string): Promise<void>;

  /** Compares the security group with `rules`. */
  survey(clusterId: string, rules: readonly SecurityRule[]): Promise<Survey>;
  listInstances(clusterId: string): Promise<readonly InstanceState[]>;
}
