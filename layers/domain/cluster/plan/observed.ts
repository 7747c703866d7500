import type { ClusterNode } from "../cluster.ts";

/**
 * A cluster as the planner sees it: the nodes on record, and what EC2, etcd, Patroni and the nodes themselves say of
 * them. It is data only, so that it can be kept with the plan and made up in a test.
 */
export interface ObservedCluster {
  /** The environment's zones, sorted. */
  readonly zones: readonly string[];
  /** Every node on record, oldest first. */
  readonly nodes: readonly ObservedNode[];
  readonly dcs: ObservedDcs;
  /** The node that Patroni calls the leader and that runs; null while there is none or nobody can say. */
  readonly leader: string | null;
  /** Whether the security group has the rules of the spec. */
  readonly securityRules: Freshness;
  /** Whether what Patroni keeps in the DCS is what the spec asks for; null while nobody can say. */
  readonly dynamicConfiguration: Freshness | null;
  /** Null while there is no leader to ask. */
  readonly database: ObservedDatabase | null;
  /** The id that the next new node gets. */
  readonly freshNodeId: string;
}

export type Freshness = "current" | "stale";

export interface ObservedNode {
  /** As it is on record; `services` are those that the node should run now. */
  readonly record: ClusterNode;
  /** The instance that fills the place; null where EC2 has none, or only one that ends. */
  readonly instance: ObservedInstance | null;
  /** The recorded volume; null where none is on record, or EC2 does not have it any more. */
  readonly volume: ObservedVolume | null;
  /** Whether the recorded network interface is there. */
  readonly hasInterface: boolean;
  /** Volumes and interfaces that carry the node's tag and are not on record: what an earlier place left. */
  readonly leftovers: Leftovers;
  /** Whether the node's configuration is the wanted one, certificate included; null while the node does not answer. */
  readonly configuration: Freshness | null;
  /** As Patroni tells; null where it does not know the node. */
  readonly member: ObservedMember | null;
}

export interface ObservedInstance {
  readonly instanceId: string;
  readonly instanceType: string;
  readonly state: "pending" | "running" | "stopping" | "stopped";
  /** Whether the node program answers. */
  readonly answers: boolean;
}

export interface ObservedVolume {
  readonly volumeId: string;
  readonly sizeGiB: number;
  /** Whether the file system fills the volume; true where the node cannot be asked. */
  readonly isFilled: boolean;
}

export interface Leftovers {
  readonly volumeIds: readonly string[];
  readonly networkInterfaceIds: readonly string[];
}

export interface ObservedMember {
  /** Streams from the leader, or leads and runs. */
  readonly isHealthy: boolean;
  readonly isSynchronous: boolean;
  /** Patroni itself runs as another program or with other options than its unit now says. */
  readonly isProgramStale: boolean;
  /** Parameters that a restart would change; null where nothing waits for one. */
  readonly pendingRestart: readonly PendingParameter[] | null;
}

export interface PendingParameter {
  readonly name: string;
  /** In the parameter's base unit where it has one; null for everything that is not a number. */
  readonly from: number | null;
  readonly to: number | null;
}

export interface ObservedDcs {
  readonly hasQuorum: boolean;
  /** As etcd lists them, those that no node stands behind included; the last known list where there is no quorum. */
  readonly members: readonly ObservedDcsMember[];
}

export interface ObservedDcsMember {
  /** etcd's own id. */
  readonly memberId: string;
  /** The node with the member's address; null where none on record has it. */
  readonly nodeId: string | null;
  readonly kind: "voter" | "learner";
  /** It has joined at least once (etcd knows its name). */
  readonly isStarted: boolean;
  readonly isHealthy: boolean;
  readonly isLeader: boolean;
  /** Its node has lost the member's data, or has another address now: it can never come back as what it was. */
  readonly isStale: boolean;
}

export interface ObservedDatabase {
  /** Every extension of the cluster's database; `available` is the version that the node image has. */
  readonly extensions: readonly {
    readonly name: string;
    readonly version: string;
    readonly available: string | null;
  }[];
}
