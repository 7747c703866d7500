import fc from "fast-check";
import {
  type ClusterSpec,
  type ConvergeRequest,
  completeSpec,
  convergeRequestSchema,
  layoutNodes,
  nodeRole,
  nodeSize,
  nodeTotal,
  type ObservedCluster,
  type ObservedDcsMember,
  type ObservedMember,
  type ObservedNode,
} from "../../../../layers/domain/index.ts";

export const zones = ["a", "b", "c"] as const;
const defaults = { instanceType: "t4g.medium", deletionProtection: false };

type Body = Omit<Parameters<typeof completeSpec>[0], "name">;
export const specOf = (body: Body = {}): ClusterSpec => completeSpec({ name: "orders", ...body }, defaults);
export const requestOf = (request: Partial<ConvergeRequest> = {}): ConvergeRequest => ({
  ...convergeRequestSchema.parse({}),
  ...request,
});

export const nodeId = (index: number): string => `nod_01J0000000000000000000${String(100 + index)}0`;

const healthy: ObservedMember = {
  isHealthy: true,
  isSynchronous: false,
  isProgramStale: false,
  pendingRestart: null,
};

/** A cluster that is what the spec says, with its first node as the leader. */
export function clusterOf(spec: ClusterSpec): ObservedCluster {
  const ids = Array.from({ length: nodeTotal(spec) }, (_, index) => nodeId(index));
  const nodes = layoutNodes(spec, zones, ids).map((record, index): ObservedNode => {
    const { instanceType, volumeGiB } = nodeSize(spec, nodeRole(record));
    const names = {
      instanceId: `i-${index}`,
      volumeId: `vol-${index}`,
      networkInterfaceId: `eni-${index}`,
      address: `10.0.0.${index}`,
    };
    return {
      record: { ...record, ...names, state: "running" },
      instance: { instanceId: names.instanceId, instanceType, state: "running", answers: true },
      volume: { volumeId: names.volumeId, sizeGiB: volumeGiB, isFilled: true },
      hasInterface: true,
      leftovers: { volumeIds: [], networkInterfaceIds: [] },
      configuration: "current",
      member: nodeRole(record) === "data" ? { ...healthy, isSynchronous: index === 1 } : null,
    };
  });
  const members = nodes
    .filter((node) => node.record.services.includes("etcd"))
    .map((node, index): ObservedDcsMember => dcsMember(node.record.id, { isLeader: index === 0 }));
  return {
    zones,
    nodes,
    dcs: { hasQuorum: true, members },
    leader: nodes[0]?.record.id ?? null,
    securityRules: "current",
    dynamicConfiguration: "current",
    database: { extensions: spec.extensions.map((name) => ({ name, version: "1", available: "1" })) },
    freshNodeId: nodeId(500),
  };
}

export function dcsMember(node: string | null, change: Partial<ObservedDcsMember> = {}): ObservedDcsMember {
  return {
    memberId: `member-${node}`,
    nodeId: node,
    kind: "voter",
    isStarted: true,
    isHealthy: true,
    isLeader: false,
    isStale: false,
    ...change,
  };
}

export function withNode(
  cluster: ObservedCluster,
  id: string | undefined,
  change: (node: ObservedNode) => ObservedNode,
): ObservedCluster {
  return consistent({
    ...cluster,
    nodes: cluster.nodes.map((node) => (node.record.id === id ? change(node) : node)),
  });
}

/** The node's machine is gone; its volume too where `isVolumeLost`. */
export function dead(node: ObservedNode, isVolumeLost = false): ObservedNode {
  return {
    ...node,
    instance: null,
    configuration: null,
    volume: isVolumeLost ? null : node.volume,
    member: node.member && { ...node.member, isHealthy: false, isSynchronous: false },
  };
}

/** What is known of a cluster follows from what its machines are. */
export function consistent(cluster: ObservedCluster): ObservedCluster {
  const find = (id: string | null) => cluster.nodes.find((node) => node.record.id === id);
  const members = cluster.dcs.members.map((member) => {
    const node = find(member.nodeId);
    if (node === undefined) return { ...member, isHealthy: false };
    const runs = node.instance?.state === "running" && node.volume !== null && !member.isStale;
    return runs ? member : { ...member, isHealthy: false };
  });
  const voters = members.filter((member) => member.kind === "voter");
  const hasQuorum = voters.filter((member) => member.isHealthy).length * 2 > voters.length;
  const leaderNode = find(cluster.leader);
  const leader = hasQuorum && leaderNode?.member?.isHealthy === true ? cluster.leader : null;
  const database = leader === null ? null : cluster.database;
  return { ...cluster, leader, database, dcs: { hasQuorum, members } };
}

export const specs: fc.Arbitrary<ClusterSpec> = fc
  .record({
    members: fc.integer({ min: 1, max: 9 }),
    dcs: fc.constantFrom<1 | 3 | 5 | 7>(1, 3, 5, 7),
    isDcsDedicated: fc.boolean(),
    isProxyDedicated: fc.boolean(),
    proxies: fc.integer({ min: 2, max: 4 }),
    durability: fc.constantFrom<ClusterSpec["durability"]>("async", "sync", "quorum"),
    isPooled: fc.boolean(),
    instanceType: fc.constantFrom("t4g.small", "t4g.medium"),
    sizeGiB: fc.constantFrom(20, 40),
    extensions: fc.subarray(["vector", "pg_trgm"]),
  })
  .map(({ members, dcs, isDcsDedicated, isProxyDedicated, proxies, isPooled, sizeGiB, ...rest }) =>
    specOf({
      ...rest,
      members,
      dcs: {
        members: isDcsDedicated || dcs <= members ? dcs : 1,
        placement: isDcsDedicated ? "dedicated" : "colocated",
      },
      proxy: isProxyDedicated ? { placement: "dedicated", count: proxies } : {},
      pooler: { enabled: isPooled },
      storage: { sizeGiB },
    }),
  );

/** One thing that is wrong with a node; none of them loses data. */
const ailments: Record<string, (node: ObservedNode) => ObservedNode> = {
  none: (node) => node,
  "instance gone": (node) => dead(node),
  "instance stopped": (node) => ({
    ...dead(node),
    instance: node.instance && { ...node.instance, state: "stopped", answers: false },
  }),
  silent: (node) => ({
    ...node,
    configuration: null,
    instance: node.instance && { ...node.instance, answers: false },
    member: node.member && { ...node.member, isHealthy: false, isSynchronous: false },
  }),
  "not reached": (node) => ({
    ...node,
    configuration: null,
    instance: node.instance && { ...node.instance, answers: false },
  }),
  "wrong size": (node) => ({
    ...node,
    instance: node.instance && { ...node.instance, instanceType: "m6g.large" },
  }),
  "volume small": (node) => ({ ...node, volume: node.volume && { ...node.volume, sizeGiB: 1 } }),
  "file system small": (node) => ({ ...node, volume: node.volume && { ...node.volume, isFilled: false } }),
  "not configured": (node) => ({ ...node, configuration: node.configuration && "stale" }),
  "not streaming": (node) => ({
    ...node,
    member: node.member && { ...node.member, isHealthy: false, isSynchronous: false },
  }),
  "old program": (node) => ({ ...node, member: node.member && { ...node.member, isProgramStale: true } }),
  "waits for a restart": (node) => ({
    ...node,
    member: node.member && {
      ...node.member,
      pendingRestart: [
        { name: "max_connections", from: 100, to: 50 },
        { name: "max_worker_processes", from: 8, to: 16 },
        { name: "shared_buffers", from: 1, to: 2 },
      ],
    },
  }),
  "with leftovers": (node) => ({
    ...node,
    leftovers: { volumeIds: ["vol-old"], networkInterfaceIds: ["eni-old"] },
  }),
};

interface Wounds {
  readonly ailments: readonly string[];
  readonly zones: readonly string[];
  readonly leader: number;
  readonly strays: readonly ObservedDcsMember[];
  readonly isStale: boolean;
}

const wounds: fc.Arbitrary<Wounds> = fc.record({
  ailments: fc.array(fc.constantFrom(...Object.keys(ailments)), { minLength: 25, maxLength: 25 }),
  zones: fc.array(fc.constantFrom(...zones), { minLength: 25, maxLength: 25 }),
  leader: fc.nat(8),
  strays: fc.subarray([
    dcsMember(null, { memberId: "nobodys-learner", kind: "learner", isStarted: false, isHealthy: false }),
  ]),
  isStale: fc.boolean(),
});

function wounded(spec: ClusterSpec, { ailments: names, zones: places, leader, strays, isStale }: Wounds) {
  const whole = clusterOf(spec);
  const nodes = whole.nodes.map((node, index) => {
    const ail = ailments[names[index] ?? "none"] ?? ailments["none"];
    const placed = { ...node, record: { ...node.record, zone: places[index] ?? node.record.zone } };
    return ail === undefined ? placed : ail(placed);
  });
  return consistent({
    ...whole,
    nodes,
    leader: nodeId(leader % spec.members),
    securityRules: isStale ? "stale" : "current",
    dynamicConfiguration: isStale ? "stale" : "current",
    dcs: { hasQuorum: true, members: [...whole.dcs.members, ...strays] },
  });
}

/** Clusters that were made for some spec and have been through a lot since. */
export const clusters: fc.Arbitrary<ObservedCluster> = fc
  .tuple(specs, wounds)
  .map(([spec, hurt]) => wounded(spec, hurt));
