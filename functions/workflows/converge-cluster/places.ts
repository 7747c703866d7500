import { type Change, emptyNode, securityRules } from "@pgherd/layers/domain";
import { known, readCluster, readNode } from "../create-cluster/records.ts";
import { ensureIdentity } from "../identity.ts";
import { isSilence, runOn } from "../shards.ts";
import { type ChangeScope, isReachable, nodeOf } from "./world.ts";

/** Places and what fills them: records, interfaces, volumes, instances. */

type ChangeOf<K extends Change["kind"]> = Extract<Change, { kind: K }>;

export async function addNode(scope: ChangeScope, change: ChangeOf<"add-node">): Promise<string> {
  const { nodeId, services, shard, zone } = change;
  await scope.ports.store.putNode(scope.clusterId, emptyNode(nodeId, { zone, services, shard }));
  return `${nodeId} in ${zone}`;
}

/**
 * One making of a place: a retry, or a process that takes another's over, is at the same one. A place that the same
 * operation gave up and makes again is another.
 */
const makingOf = ({ operationId, step }: ChangeScope): string => `${operationId}.${step}`;

/** What an earlier place of the node left is not used again, even where it is in the same zone. */
export async function makePlace(scope: ChangeScope, change: ChangeOf<"make-place">): Promise<void> {
  const { cluster, node } = await readNode(scope, change.nodeId);
  const { compute, settings, store } = scope.ports;
  const rules = securityRules(cluster.spec, settings);
  const survey = await compute.survey(cluster.id, rules);
  const { id: nodeId, zone } = node;
  const place = { clusterId: cluster.id, nodeId, zone, generation: makingOf(scope) };
  const isVolumeThere = survey.volumes.some((one) => one.volumeId === node.volumeId);
  const isInterfaceThere = survey.networkInterfaces.some(
    (one) => one.networkInterfaceId === node.networkInterfaceId,
  );
  let made = node;
  if (!isVolumeThere) {
    const { volumeId } = await compute.ensureVolume(place, change.volumeGiB);
    made = { ...made, volumeId };
    await store.putNode(cluster.id, made);
  }
  if (isInterfaceThere) return;
  const { securityGroupId } = await compute.ensureSecurityGroup(cluster.id, rules);
  const { address, networkInterfaceId } = await compute.ensureNetworkInterface(place, securityGroupId);
  await store.putNode(cluster.id, { ...made, networkInterfaceId, address });
}

export async function vacatePlace(scope: ChangeScope, change: ChangeOf<"vacate-place">): Promise<void> {
  const { cluster, node } = await readNode(scope, change.nodeId);
  const moves = change.zone !== node.zone;
  await scope.ports.store.putNode(cluster.id, {
    ...node,
    zone: change.zone,
    volumeId: null,
    ...(moves ? { networkInterfaceId: null, address: null } : {}),
  });
}

export async function startInstance(scope: ChangeScope, change: ChangeOf<"start-instance">): Promise<string> {
  const { cluster, node } = await readNode(scope, change.nodeId);
  const { commands, compute, store } = scope.ports;
  const place = { clusterId: cluster.id, nodeId: node.id, zone: node.zone, generation: makingOf(scope) };
  // A cluster of before nodes had a role of their own gets it with its next instance.
  await ensureIdentity(scope);
  const { instanceId } = await compute.ensureInstance(place, {
    instanceType: change.instanceType,
    networkInterfaceId: known(node.networkInterfaceId, "network interface", node.id),
    volumeId: known(node.volumeId, "volume", node.id),
    deadlineSeconds: scope.deadlines.instanceSeconds,
  });
  await store.putNode(cluster.id, { ...node, instanceId, state: "running" });
  await commands.awaitOnline(instanceId, scope.deadlines.agentSeconds);
  return instanceId;
}

export async function awaitNode(scope: ChangeScope, change: ChangeOf<"await-node">): Promise<void> {
  const { cluster, node } = await readNode(scope, change.nodeId);
  const instanceId = known(node.instanceId, "instance", node.id);
  await scope.ports.commands.awaitOnline(instanceId, scope.deadlines.agentSeconds);
  if (node.state !== "running") await scope.ports.store.putNode(cluster.id, { ...node, state: "running" });
}

/** Clients leave between two transactions, and PostgreSQL writes its last checkpoint. */
async function standDown(scope: ChangeScope, nodeId: string): Promise<void> {
  const { cluster, node } = await readNode(scope, nodeId);
  if (!isReachable(node)) return;
  const { drainSeconds, shutDownSeconds } = scope.deadlines;
  const target = { clusterId: cluster.id, nodeId };
  try {
    if (node.services.includes("pgbouncer")) {
      const input = { ...target, deadlineSeconds: drainSeconds };
      await runOn(scope, node, "drain-pooler", scope.step, drainSeconds, input);
    }
    if (node.services.length === 0) return;
    const input = { ...target, services: node.services, deadlineSeconds: shutDownSeconds };
    await runOn(scope, node, "shut-down", scope.step, shutDownSeconds, input);
  } catch (error) {
    // A node that is silent is past being asked.
    if (!isSilence(error)) throw error;
  }
}

export async function removeInstance(
  scope: ChangeScope,
  change: ChangeOf<"remove-instance">,
): Promise<string> {
  const { store, compute } = scope.ports;
  await standDown(scope, change.nodeId);
  await compute.removeInstanceById(change.instanceId);
  const { cluster, node } = await readNode(scope, change.nodeId);
  if (node.instanceId === change.instanceId) {
    await store.putNode(cluster.id, { ...node, instanceId: null, state: "pending" });
  }
  return change.instanceId;
}

/** Gone already is success: the record goes last. */
export async function removeNode(scope: ChangeScope, { nodeId }: ChangeOf<"remove-node">): Promise<string> {
  const { store, compute } = scope.ports;
  const cluster = await readCluster(scope);
  if (cluster.nodes.every((node) => node.id !== nodeId)) return nodeId;
  await standDown(scope, nodeId);
  await compute.removeInstance(cluster.id, nodeId);
  await compute.removeNetworkInterface(cluster.id, nodeId);
  await compute.removeVolume(cluster.id, nodeId);
  await store.removeNode(cluster.id, nodeId);
  return nodeId;
}

export async function discardLeftovers(
  scope: ChangeScope,
  { nodeId }: ChangeOf<"discard-leftovers">,
): Promise<string> {
  const { compute, settings } = scope.ports;
  const { cluster, node } = await readNode(scope, nodeId);
  const survey = await compute.survey(cluster.id, securityRules(cluster.spec, settings));
  const volumes = survey.volumes
    .filter((one) => one.nodeId === nodeId && one.volumeId !== node.volumeId)
    .map((one) => one.volumeId);
  const interfaces = survey.networkInterfaces
    .filter((one) => one.nodeId === nodeId && one.networkInterfaceId !== node.networkInterfaceId)
    .map((one) => one.networkInterfaceId);
  for (const volumeId of volumes) await compute.removeVolumeById(volumeId);
  for (const id of interfaces) await compute.removeNetworkInterfaceById(id);
  return [...volumes, ...interfaces].join(", ");
}

export async function growVolume(scope: ChangeScope, change: ChangeOf<"grow-volume">): Promise<string> {
  const { cluster, node } = await readNode(scope, change.nodeId);
  const volumeId = known(node.volumeId, "volume", node.id);
  await scope.ports.compute.growVolume(volumeId, change.sizeGiB);
  const input = { clusterId: cluster.id, nodeId: node.id, volumeId, sizeGiB: change.sizeGiB };
  await runOn(scope, node, "grow-filesystem", scope.step, scope.deadlines.shortSeconds, input);
  return `${change.sizeGiB} GiB`;
}

export async function setServices(scope: ChangeScope, change: ChangeOf<"set-services">): Promise<void> {
  const cluster = await readCluster(scope);
  for (const { nodeId, services } of change.nodes) {
    await scope.ports.store.putNode(cluster.id, { ...nodeOf(cluster, nodeId), services: [...services] });
  }
}

export async function applySecurityRules(scope: ChangeScope): Promise<void> {
  const { spec } = await readCluster(scope);
  const { compute, settings } = scope.ports;
  await compute.applySecurityRules(scope.clusterId, securityRules(spec, settings));
}
