import type { Observation } from "../node/protocol.ts";
import type { Cluster, ClusterNode } from "./cluster.ts";
import { patroniScope } from "./names.ts";

export interface TopologyMember {
  readonly nodeId: string;
  readonly address: string | null;
  readonly zone: string;
  readonly role: "leader" | "sync-standby" | "replica";
  readonly state: string;
  readonly timeline: number | null;
  readonly lagBytes: number | null;
  readonly pendingRestart: boolean;
}

export interface Topology {
  readonly observedAt: string;
  readonly shards: readonly {
    readonly shard: number;
    readonly scope: string;
    readonly leader: string | null;
    readonly timeline: number | null;
    readonly members: readonly TopologyMember[];
  }[];
  readonly dcs: {
    readonly quorum: boolean;
    readonly members: readonly {
      readonly nodeId: string;
      readonly address: string | null;
      readonly healthy: boolean;
      readonly leader: boolean;
    }[];
  };
}

/** What a node saw, told of the nodes that the cluster should have: one that nobody sees is there as `unreachable`. */
export function describeTopology(
  cluster: Pick<Cluster, "id" | "nodes">,
  observation: Observation,
  observedAt: string,
): Topology {
  const shards = [...new Set(cluster.nodes.map((node) => node.shard))].toSorted(
    (left, right) => left - right,
  );
  return {
    observedAt,
    shards: shards.map((shard) => describeShard(cluster, shard, observation)),
    dcs: {
      quorum: observation.dcs.quorum,
      members: cluster.nodes
        .filter((node) => node.services.includes("etcd"))
        .map((node) => describeDcsMember(node, observation)),
    },
  };
}

function describeShard(
  cluster: Pick<Cluster, "id" | "nodes">,
  shard: number,
  observation: Observation,
): Topology["shards"][number] {
  const members = cluster.nodes
    .filter((node) => node.shard === shard && node.services.includes("postgres"))
    .map((node) => describeMember(node, observation));
  const leader = members.find((member) => member.role === "leader");
  return {
    shard,
    scope: patroniScope(cluster.id, shard),
    leader: leader?.nodeId ?? null,
    timeline: leader?.timeline ?? null,
    members,
  };
}

function describeMember(node: ClusterNode, observation: Observation): TopologyMember {
  const seen = observation.members.find((member) => member.nodeId === node.id);
  return {
    nodeId: node.id,
    address: node.address,
    zone: node.zone,
    role: seen?.role ?? "replica",
    state: seen?.state ?? "unreachable",
    timeline: seen?.timeline ?? null,
    lagBytes: seen?.lagBytes ?? null,
    pendingRestart: seen?.pendingRestart ?? false,
  };
}

function describeDcsMember(node: ClusterNode, observation: Observation): Topology["dcs"]["members"][number] {
  const seen = observation.dcs.members.find((member) => member.nodeId === node.id);
  return {
    nodeId: node.id,
    address: node.address,
    healthy: seen?.healthy ?? false,
    leader: seen?.leader ?? false,
  };
}
