import {
  authorityKeyParameter,
  type ClusterNode,
  proxyNodes,
  synchronousStandbys,
  validLogins,
} from "@pgherd/layers/domain";
import type { Peer } from "@pgherd/layers/domain/node";
import { CommandError, type CommandTarget } from "@pgherd/layers/ports";
import { newId } from "@pgherd/layers/runtime";
import { signNodeCertificate } from "@pgherd/layers/runtime/secrets";
import type { CreateDeadlines } from "./deadlines.ts";
import { type ClusterScope, known, readCluster, readNode } from "./records.ts";

/** A command's answer travels after the node's own deadline passed. */
const commandGraceSeconds = 15;

export async function agent(scope: ClusterScope, nodeId: string, deadlines: CreateDeadlines): Promise<void> {
  const { node } = await readNode(scope, nodeId);
  const instanceId = known(node.instanceId, "instance", nodeId);
  await scope.ports.commands.awaitOnline(instanceId, deadlines.agentSeconds);
}

/** The node makes its key and asks for a certificate; what it then configures names all of its peers. */
export async function configure(
  scope: ClusterScope,
  nodeId: string,
  deadlines: CreateDeadlines,
): Promise<void> {
  const { cluster, node } = await readNode(scope, nodeId);
  const address = known(node.address, "address", nodeId);
  const prepareTarget = target(scope, node, "prepare", deadlines.prepareSeconds);
  const prepared = await scope.ports.commands.run(prepareTarget, "prepare", {
    clusterId: cluster.id,
    nodeId,
    volumeId: known(node.volumeId, "volume", nodeId),
    address,
  });
  await configureWith(scope, nodeId, prepared.certificateRequest, deadlines);
}

/** Signs what the node asks for and configures it with that. */
export async function configureWith(
  scope: ClusterScope,
  nodeId: string,
  certificateRequest: string,
  deadlines: CreateDeadlines,
): Promise<void> {
  const { cluster, node } = await readNode(scope, nodeId);
  const { commands, region, secrets, settings, store } = scope.ports;
  const certificate = known(await store.getAuthorityCertificate(cluster.id), "CA certificate", nodeId);
  const privateKey = await secrets.read(authorityKeyParameter(settings.environment, cluster.id));
  const nodeCertificate = await signNodeCertificate(
    { certificate, privateKey },
    certificateRequest,
    { nodeId, addresses: cluster.nodes.map((one) => known(one.address, "address", one.id)) },
    new Date(),
  );
  await commands.run(target(scope, node, "configure", deadlines.configureSeconds), "configure", {
    environment: settings.environment,
    region,
    clusterId: cluster.id,
    nodeId,
    spec: cluster.spec,
    peers: cluster.nodes.map(peerOf),
    logins: validLogins(cluster),
    authorityCertificate: certificate,
    nodeCertificate,
  });
}

/** Says who leads: the next step goes there. */
export async function members(
  scope: ClusterScope,
  deadlines: CreateDeadlines,
  step = "members",
): Promise<string> {
  const cluster = await readCluster(scope);
  const node = known(cluster.nodes[0] ?? null, "node", cluster.id);
  const { leader } = await scope.ports.commands.run(
    target(scope, node, step, deadlines.membersSeconds + commandGraceSeconds),
    "await-members",
    {
      clusterId: cluster.id,
      nodeId: node.id,
      shard: 0,
      members: cluster.spec.members,
      synchronousStandbys: synchronousStandbys(cluster.spec),
      timeoutSeconds: deadlines.membersSeconds,
    },
  );
  return leader;
}

/** A failover between two steps is no reason for a create to fail: whoever leads by then is asked. */
export async function database(scope: ClusterScope, deadlines: CreateDeadlines): Promise<string> {
  const leader = known(scope.said("members"), "leader", scope.clusterId);
  try {
    return await applyDatabase(scope, leader, "database", deadlines);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // A step of its own: a node answers one that it knows from memory, and leaders change.
    const present = await members(scope, deadlines, `members.${newId("request")}`);
    if (present === leader) throw error;
    return applyDatabase(scope, present, `database.${present}`, deadlines);
  }
}

async function applyDatabase(
  scope: ClusterScope,
  leader: string,
  step: string,
  deadlines: CreateDeadlines,
): Promise<string> {
  const { cluster, node: leaderNode } = await readNode(scope, leader);
  const { extensions } = await scope.ports.commands.run(
    target(scope, leaderNode, step, deadlines.databaseSeconds),
    "apply-database",
    {
      environment: scope.ports.settings.environment,
      clusterId: cluster.id,
      nodeId: leaderNode.id,
      database: cluster.spec.database,
      extensions: cluster.spec.extensions,
      logins: validLogins(cluster),
    },
  );
  return extensions.map(({ name, version }) => `${name} ${version}`).join(", ");
}

/** From the last node, so that what it writes travels through proxies to another machine wherever there is one. */
export async function verify(scope: ClusterScope, deadlines: CreateDeadlines): Promise<void> {
  const cluster = await readCluster(scope);
  const node = known(cluster.nodes.at(-1) ?? null, "node", cluster.id);
  await scope.ports.commands.run(
    target(scope, node, "verify", deadlines.verifySeconds + commandGraceSeconds),
    "verify",
    {
      environment: scope.ports.settings.environment,
      clusterId: cluster.id,
      nodeId: node.id,
      database: cluster.spec.database,
      addresses: proxyNodes(cluster.nodes).map((one) => known(one.address, "address", one.id)),
      replicas: cluster.spec.members - 1,
      pooler: cluster.spec.pooler.enabled,
      timeoutSeconds: deadlines.verifySeconds,
    },
  );
}

function target(
  scope: ClusterScope,
  node: ClusterNode,
  step: string,
  deadlineSeconds: number,
): CommandTarget {
  const instanceId = known(node.instanceId, "instance", node.id);
  return { instanceId, operationId: scope.operationId, step, deadlineSeconds };
}

function peerOf(node: ClusterNode): Peer {
  return {
    nodeId: node.id,
    address: known(node.address, "address", node.id),
    zone: node.zone,
    shard: node.shard,
    services: node.services,
  };
}
