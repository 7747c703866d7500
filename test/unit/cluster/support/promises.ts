import { expect } from "vitest";
import {
  type Change,
  type ClusterSpec,
  nodeCount,
  nodeRole,
  nodeRoles,
  nodeSize,
  type ObservedCluster,
  type ObservedNode,
  roleServices,
} from "../../../../layers/domain/index.ts";

/** What a converge promises of each of its steps, said without the planner's own words. */

const ofRole = (cluster: ObservedCluster, role: string) =>
  cluster.nodes.filter((node) => nodeRole(node.record) === role);
const healthyMembers = (cluster: ObservedCluster) =>
  ofRole(cluster, "data").filter((node) => node.member?.isHealthy === true);
const find = (cluster: ObservedCluster, id: string | null) =>
  cluster.nodes.find((node) => node.record.id === id);
const voters = (cluster: ObservedCluster) => cluster.dcs.members.filter((member) => member.kind === "voter");

const takesAway = (change: Change): string | null => {
  switch (change.kind) {
    case "remove-instance":
    case "remove-node":
      return change.nodeId;
    case "restart-member":
      return change.isLeader ? null : change.nodeId;
    default:
      return null;
  }
};

export function checkStep(
  spec: ClusterSpec,
  before: ObservedCluster,
  change: Change,
  after: ObservedCluster,
): void {
  const said = JSON.stringify(change);
  const soleDcs = voters(before).length === 1 && spec.dcs.members === 1;
  if (before.dcs.hasQuorum && !soleDcs) expect(after.dcs.hasQuorum, `quorum: ${said}`).toBe(true);
  expect(voters(after).length).toBeLessThanOrEqual(Math.max(voters(before).length, spec.dcs.members + 1));
  expect(Math.abs(voters(after).length - voters(before).length)).toBeLessThanOrEqual(1);

  const away = takesAway(change);
  const isAlone = healthyMembers(before).every((node) => node.record.id === before.leader);
  if (away !== null && away === before.leader) expect(isAlone, `the leader: ${said}`).toBe(true);
  if (change.kind === "remove-node") expect(before.leader).not.toBe(change.nodeId);
  if (change.kind === "restart-member" && change.isLeader) expect(change.nodeId).toBe(before.leader);

  const replica = find(before, away);
  const isMissed = away !== before.leader && replica?.member?.isHealthy === true;
  if (isMissed && spec.members >= 3 && spec.durability !== "async") {
    const others = healthyMembers(before).filter(
      ({ record }) => record.id !== away && record.id !== before.leader,
    );
    expect(others.length, `a standby stays: ${said}`).toBeGreaterThanOrEqual(1);
  }
  if (change.kind === "remove-node") checkAdded(spec, before);
  if (change.kind === "promote-dcs-member") {
    const member = before.dcs.members.find((one) => one.memberId === change.memberId);
    expect(member).toMatchObject({ kind: "learner", isHealthy: true, nodeId: change.nodeId });
  }
  if (change.kind === "vacate-place") {
    expect(find(before, change.nodeId)?.instance).toBeNull();
    expect(before.dcs.members.map((member) => member.nodeId)).not.toContain(change.nodeId);
  }
}

/** Everything that should be there is, before something is taken away. */
function checkAdded(spec: ClusterSpec, before: ObservedCluster): void {
  for (const role of nodeRoles) {
    const stay = ofRole(before, role).slice(0, nodeCount(spec, role));
    expect(stay).toHaveLength(nodeCount(spec, role));
    for (const node of stay) {
      expect(node.instance?.answers).toBe(true);
      if (role === "data") expect(node.member?.isHealthy).toBe(true);
    }
  }
}

/** The cluster is what the spec says. */
export function checkReached(spec: ClusterSpec, cluster: ObservedCluster): void {
  expect(cluster).toMatchObject({ securityRules: "current", dynamicConfiguration: "current" });
  expect(cluster.dcs.hasQuorum).toBe(true);
  for (const role of nodeRoles) expect(ofRole(cluster, role), role).toHaveLength(nodeCount(spec, role));
  for (const node of cluster.nodes) checkNode(spec, node);
  expect(find(cluster, cluster.leader)?.member?.isHealthy).toBe(true);

  const withEtcd = cluster.nodes.filter((node) => node.record.services.includes("etcd"));
  expect(withEtcd).toHaveLength(spec.dcs.members);
  expect(cluster.dcs.members.map((member) => member.nodeId).toSorted()).toEqual(
    withEtcd.map((node) => node.record.id).toSorted(),
  );
  const role = spec.dcs.placement === "dedicated" ? "dcs" : "data";
  expect(withEtcd.every((node) => nodeRole(node.record) === role)).toBe(true);
  expect(cluster.dcs.members.every((member) => member.kind === "voter" && member.isHealthy)).toBe(true);
  const names = (cluster.database?.extensions ?? []).map((extension) => extension.name);
  expect(names).toEqual(expect.arrayContaining([...spec.extensions]));
}

function checkNode(spec: ClusterSpec, node: ObservedNode): void {
  const role = nodeRole(node.record);
  const size = nodeSize(spec, role);
  expect(node.instance).toMatchObject({
    state: "running",
    answers: true,
    instanceType: size.instanceType,
    instanceId: node.record.instanceId,
  });
  expect(node.volume?.volumeId).toBe(node.record.volumeId);
  expect(node.volume?.sizeGiB).toBeGreaterThanOrEqual(size.volumeGiB);
  expect(node).toMatchObject({
    hasInterface: true,
    configuration: "current",
    volume: { isFilled: true },
    leftovers: { volumeIds: [], networkInterfaceIds: [] },
  });
  expect(node.record.services.filter((service) => service !== "etcd")).toEqual(roleServices(spec, role));
  if (role === "data") expect(node.member).toMatchObject({ isHealthy: true, isProgramStale: false });
}

/** By how much the fullest zone has more nodes than the emptiest. */
export function spread(nodes: readonly ObservedNode[], zones: readonly string[]): number {
  const counts = zones.map((zone) => nodes.filter((node) => node.record.zone === zone).length);
  return Math.max(...counts) - Math.min(...counts);
}
