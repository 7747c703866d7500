import {
  type ClusterNode,
  nodeRole,
  nodeSize,
  proxyNodes,
  restoreRequestSchema,
  synchronousStandbys,
  validLogins,
} from "@pgherd/layers/domain";
import { type NodeRestore, repositoryOf } from "@pgherd/layers/domain/node";
import { CommandError, type CommandTarget } from "@pgherd/layers/ports";
import { newId } from "@pgherd/layers/runtime";
import { type ConfigurationOrder, configureNode } from "../node-configuration.ts";
import { stillAtWork } from "../still-at-work.ts";
import type { CreateDeadlines } from "./deadlines.ts";
import { type ClusterScope, known, readCluster, readNode } from "./records.ts";

/** A command's answer travels after the node's own deadline passed. */
const commandGraceSeconds = 15;

export async function agent(scope: ClusterScope, nodeId: string, deadlines: CreateDeadlines): Promise<void> {
  const { node } = await readNode(scope, nodeId);
  const instanceId = known(node.instanceId, "instance", nodeId);
  await scope.ports.commands.awaitOnline(instanceId, deadlines.agentSeconds);
}

export async function configure(
  scope: ClusterScope,
  nodeId: string,
  deadlines: CreateDeadlines,
  dcsState: "new" | "existing" = "new",
): Promise<void> {
  const restore = restoreOf(scope);
  await configureNode(scope, { ...(await orderOf(scope, nodeId, deadlines)), dcsState, restore });
}

/** Null where a cluster begins empty. */
function restoreOf({ ports, request }: ClusterScope): NodeRestore | null {
  const asked = restoreRequestSchema.safeParse(request);
  if (!asked.success) return null;
  const { archiveFirst: _before, store = null, ...source } = asked.data;
  const { clusterId, shard } = source;
  return { source, repository: repositoryOf(ports, { clusterId, store }, shard) };
}

/** Once there is data, no node needs to read the repository of another cluster any more. */
export async function forgetSource(
  scope: ClusterScope,
  nodeId: string,
  deadlines: CreateDeadlines,
): Promise<void> {
  if (restoreOf(scope) === null) return;
  await configureNode(scope, { ...(await orderOf(scope, nodeId, deadlines)), step: "forget-source" });
}

/**
 * A restore of much data takes hours: who still is at it is waited for in another try of the same step, as long as
 * there are tries left.
 */
export async function restoredMembers(scope: ClusterScope, deadlines: CreateDeadlines): Promise<string> {
  try {
    return await members(scope, deadlines, `members.${newId("request")}`);
  } catch (error) {
    if (!(error instanceof CommandError) || error.code !== "members-missing") throw error;
    throw await stillAtWork(scope, "members", error.message);
  }
}

/** A node as it is to be configured on the machine that the spec gives it. */
export async function orderOf(
  scope: ClusterScope,
  nodeId: string,
  deadlines: CreateDeadlines,
): Promise<ConfigurationOrder> {
  const { cluster, node } = await readNode(scope, nodeId);
  const { instanceType } = nodeSize(cluster.spec, nodeRole(node));
  const { configureSeconds, prepareSeconds } = deadlines;
  return { nodeId, instanceType, dcsState: "existing", step: "configure", prepareSeconds, configureSeconds };
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

/** From its first minute on what the cluster writes can be restored; a failover on the way is no reason to fail. */
export async function archive(scope: ClusterScope, deadlines: CreateDeadlines): Promise<string> {
  const first = known(scope.said("members"), "leader", scope.clusterId);
  try {
    return await ensureStanza(scope, first, "archive", deadlines);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const present = await members(scope, deadlines, `members.${newId("request")}`);
    if (present === first) throw error;
    return ensureStanza(scope, present, `archive.${present}`, deadlines);
  }
}

async function ensureStanza(
  scope: ClusterScope,
  leader: string,
  step: string,
  { archiveSeconds }: CreateDeadlines,
): Promise<string> {
  const { cluster, node } = await readNode(scope, leader);
  const { archivedWal } = await scope.ports.commands.run(
    target(scope, node, step, archiveSeconds + commandGraceSeconds),
    "ensure-stanza",
    { clusterId: cluster.id, nodeId: node.id, deadlineSeconds: archiveSeconds },
  );
  return archivedWal;
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
