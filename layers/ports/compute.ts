import type { SecurityRule } from "../domain/cluster/security-rules.ts";

/** Where and for whom a resource is made. */
export interface Placement {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly zone: string;
}

export interface InstanceState {
  readonly instanceId: string;
  readonly nodeId: string;
  readonly state: "pending" | "running" | "shutting-down" | "terminated" | "stopping" | "stopped";
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

/**
 * The machines of a cluster. Every `ensure…` finds what an earlier call made; every `remove…` takes
 * "already gone" for success and returns when the thing is gone.
 */
export interface Compute {
  ensureSecurityGroup(
    clusterId: string,
    rules: readonly SecurityRule[],
  ): Promise<{ securityGroupId: string }>;
  removeSecurityGroup(clusterId: string): Promise<void>;

  ensureNetworkInterface(
    place: Placement,
    securityGroupId: string,
  ): Promise<{ networkInterfaceId: string; address: string }>;
  removeNetworkInterface(clusterId: string, nodeId: string): Promise<void>;

  /** Returns when the volume is available. */
  ensureVolume(place: Placement, sizeGiB: number): Promise<{ volumeId: string }>;
  removeVolume(clusterId: string, nodeId: string): Promise<void>;

  /**
   * Starts an instance on the node's interface, waits until it runs and attaches the node's volume.
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

  listInstances(clusterId: string): Promise<readonly InstanceState[]>;
}
