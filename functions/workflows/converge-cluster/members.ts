import { type Change, type ClusterNode, withEtcd } from "@pgherd/layers/domain";
import { readCluster, readNode } from "../create-cluster/records.ts";
import { configureNode } from "../node-configuration.ts";
import { moveLeader, patienceSecondsDefault } from "../role-change.ts";
import { isSilence, requireLeader, runOn } from "../shards.ts";
import { type ChangeScope, instanceTypes, isReachable, nodeOf, runOnAny } from "./world.ts";

/** What runs on the nodes: configuration, Patroni's members, etcd's members. */

type ChangeOf<K extends Change["kind"]> = Extract<Change, { kind: K }>;

async function configureOne(scope: ChangeScope, nodeId: string): Promise<string[]> {
  const cluster = await readCluster(scope);
  const typeOf = await instanceTypes(scope, cluster);
  const { configureSeconds, prepareSeconds } = scope.deadlines;
  return configureNode(scope, {
    nodeId,
    instanceType: typeOf(nodeOf(cluster, nodeId)),
    dcsState: "existing",
    step: scope.step,
    prepareSeconds,
    configureSeconds,
  });
}

/** All at once, and all to their end: a node that cannot be configured must not keep the others from it. */
export async function configure(scope: ChangeScope, { nodeIds }: ChangeOf<"configure">): Promise<string> {
  const outcomes = await Promise.allSettled(nodeIds.map((nodeId) => configureOne(scope, nodeId)));
  const failures = outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  const [first] = failures;
  if (first !== undefined) throw first;
  return nodeIds.join(", ");
}

export async function awaitMember(
  scope: ChangeScope,
  { nodeId: member }: ChangeOf<"await-member">,
): Promise<string> {
  const { nodes } = await readCluster(scope);
  const members = nodes.filter((node) => node.services.includes("postgres"));
  const { memberSeconds } = scope.deadlines;
  const { state } = await runOnAny(scope, first(members, member), "await-member", memberSeconds, (node) => ({
    clusterId: scope.clusterId,
    nodeId: node.id,
    member,
    timeoutSeconds: memberSeconds,
  }));
  return state;
}

/** The node itself knows best why it does not get on. */
function first(nodes: readonly ClusterNode[], nodeId: string | null): ClusterNode[] {
  return nodes.toSorted((left, right) => Number(right.id === nodeId) - Number(left.id === nodeId));
}

export async function awaitDcs(scope: ChangeScope, { nodeId: member }: ChangeOf<"await-dcs">): Promise<void> {
  const { nodes } = await readCluster(scope);
  const { dcsSeconds } = scope.deadlines;
  await runOnAny(scope, first(nodes, member), "await-dcs", dcsSeconds, (node) => ({
    clusterId: scope.clusterId,
    nodeId: node.id,
    member,
    timeoutSeconds: dcsSeconds,
  }));
}

/** The others admit it first, then it starts: etcd refuses one that it does not expect. */
export async function addDcsMember(
  scope: ChangeScope,
  { nodeId }: ChangeOf<"add-dcs-member">,
): Promise<void> {
  const { cluster, node } = await readNode(scope, nodeId);
  const { address } = node;
  if (address === null) throw new Error(`${nodeId} has no address yet`);
  const others = cluster.nodes.filter((one) => one.id !== nodeId && one.services.includes("etcd"));
  const { dcsSeconds, shortSeconds } = scope.deadlines;
  if (!node.services.includes("etcd")) {
    // A member that was removed here before may have left its data: etcd would go on with that, and be refused.
    await runOn(scope, node, "forget-dcs", scope.step, shortSeconds, {
      clusterId: cluster.id,
      nodeId: node.id,
    });
  }
  await runOnAny(scope, others, "add-dcs-learner", shortSeconds, (one) => ({
    clusterId: cluster.id,
    nodeId: one.id,
    address,
  }));
  await scope.ports.store.putNode(cluster.id, { ...node, services: withEtcd(node.services) });
  await configureOne(scope, nodeId);
  await runOn(scope, node, "await-dcs", scope.step, dcsSeconds, {
    clusterId: cluster.id,
    nodeId,
    member: nodeId,
    timeoutSeconds: dcsSeconds,
  });
}

export async function promoteDcsMember(
  scope: ChangeScope,
  change: ChangeOf<"promote-dcs-member">,
): Promise<void> {
  const { nodes } = await readCluster(scope);
  const { dcsSeconds } = scope.deadlines;
  const voters = nodes.filter((node) => node.id !== change.nodeId && node.services.includes("etcd"));
  await runOnAny(scope, voters, "promote-dcs-learner", dcsSeconds, (node) => ({
    clusterId: scope.clusterId,
    nodeId: node.id,
    memberId: change.memberId,
    timeoutSeconds: dcsSeconds,
  }));
}

/** The record says first that the node has no etcd any more: whatever follows can be done again. */
export async function removeDcsMember(
  scope: ChangeScope,
  { nodeId, memberId }: ChangeOf<"remove-dcs-member">,
): Promise<void> {
  const cluster = await readCluster(scope);
  const { dcsSeconds, shortSeconds } = scope.deadlines;
  const node = nodeId === null ? null : nodeOf(cluster, nodeId);
  if (node?.services.includes("etcd")) {
    const services = node.services.filter((service) => service !== "etcd");
    await scope.ports.store.putNode(cluster.id, { ...node, services });
  }
  const others = cluster.nodes.filter((one) => one.id !== nodeId && one.services.includes("etcd"));
  if (nodeId !== null) await leadElsewhere(scope, others);
  await runOnAny(scope, others, "remove-dcs-member", dcsSeconds, (one) => ({
    clusterId: cluster.id,
    nodeId: one.id,
    memberId,
  }));
  if (node === null || !isReachable(node)) return;
  try {
    await runOn(scope, node, "forget-dcs", scope.step, shortSeconds, {
      clusterId: cluster.id,
      nodeId: node.id,
    });
  } catch (error) {
    // A node that is silent is emptied or replaced before it gets a member again.
    if (!isSilence(error)) throw error;
  }
}

/** Nobody who leads is removed: that would cost everyone an election. */
async function leadElsewhere(scope: ChangeScope, others: readonly ClusterNode[]): Promise<void> {
  const { shortSeconds } = scope.deadlines;
  await runOnAny(scope, others, "move-dcs-leader", shortSeconds, (node) => ({
    clusterId: scope.clusterId,
    nodeId: node.id,
    to: node.id,
  }));
}

export async function handOver(scope: ChangeScope, change: ChangeOf<"move-leader">): Promise<string> {
  const { pauseMs, to } = await moveLeader(scope, {
    shard: 0,
    candidate: change.candidate,
    avoid: [change.from, ...change.avoid],
    step: scope.step,
    patienceSeconds: patienceSecondsDefault,
  });
  return pauseMs === null ? `${to} leads` : `${to} leads; clients waited ${pauseMs} ms`;
}

export async function applyDynamicConfiguration(scope: ChangeScope): Promise<string> {
  const leader = await requireLeader(scope, 0);
  const { settings } = scope.ports;
  const { environment } = settings;
  const input = { environment, clusterId: scope.clusterId, nodeId: leader.id, synchronousNodes: null };
  const { shortSeconds } = scope.deadlines;
  const verb = "apply-dynamic-configuration";
  const { changed } = await runOn(scope, leader, verb, scope.step, shortSeconds, input);
  return changed.join(", ");
}
