import { bestCopy, type ClusterNode, type Copy, type NodeService, withEtcd } from "@pgherd/layers/domain";
import { CapacityError, CommandError } from "@pgherd/layers/ports";
import { newId } from "@pgherd/layers/runtime";
import type { ConvergeDeadlines } from "../converge-cluster/deadlines.ts";
import { instanceTypes } from "../converge-cluster/world.ts";
import { type ClusterScope, readCluster, readNode } from "../create-cluster/records.ts";
import { configureNode } from "../node-configuration.ts";
import { isSilence, runningNodes, runOn } from "../shards.ts";

/** What the old etcd knew, and what acts by it. */
const dcsAndPostgres: readonly NodeService[] = ["postgres", "etcd"];
const withoutEtcd = (services: readonly NodeService[]) => services.filter((service) => service !== "etcd");

class NoSurvivorError extends Error {
  readonly code = "no-survivor";
}

class NoLeaderError extends Error {
  readonly code = "no-leader";
}

/** A node whose machine is stopped and that nobody has tried to start yet. */
export async function findStopped(scope: ClusterScope, tried: readonly string[]): Promise<string | null> {
  const [{ nodes }, instances] = await Promise.all([
    readCluster(scope),
    scope.ports.compute.listInstances(scope.clusterId),
  ]);
  const stopped = instances.filter((one) => one.state === "stopped" || one.state === "stopping");
  const node = nodes.find(({ id, instanceId, services }) => {
    const keepsWhat = dcsAndPostgres.some((service) => services.includes(service));
    return keepsWhat && !tried.includes(id) && stopped.some((one) => one.instanceId === instanceId);
  });
  return node?.id ?? null;
}

/** One that does not come up again is as good as lost, which whoever asked has said to be ready for. */
export async function startNode(
  scope: ClusterScope,
  nodeId: string,
  { agentSeconds, instanceSeconds }: ConvergeDeadlines,
): Promise<string> {
  const { cluster, node } = await readNode(scope, nodeId);
  const { commands, compute, store } = scope.ports;
  const place = { clusterId: cluster.id, nodeId, zone: node.zone };
  try {
    const started = await compute.startInstance(place, instanceSeconds);
    if (started === null) return "has no machine any more";
    await store.putNode(cluster.id, { ...node, instanceId: started.instanceId, state: "running" });
    await commands.awaitOnline(started.instanceId, agentSeconds);
    return "runs again";
  } catch (error) {
    if (!(error instanceof CapacityError) && !isSilence(error)) throw error;
    return "does not come up again";
  }
}

/** Whether etcd decides again, as the nodes that run tell it. A machine's etcd takes a moment after its boot. */
export async function hasQuorum(scope: ClusterScope, { dcsSeconds }: ConvergeDeadlines): Promise<boolean> {
  for (const node of await nodesThatRun(scope)) {
    const input = { clusterId: scope.clusterId, nodeId: node.id, member: null, timeoutSeconds: dcsSeconds };
    try {
      await runOn(scope, node, "await-dcs", `await-quorum.${newId("request")}`, dcsSeconds, input);
      return true;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.code === noQuorum) return false;
    }
  }
  return false;
}

/** As the node program says that it has waited in vain. */
const noQuorum = "no-dcs";

/** Whoever is named has to answer, and else the best copy of those that do. */
export async function findSurvivor(
  scope: ClusterScope,
  wish: string | null,
  { shortSeconds }: ConvergeDeadlines,
): Promise<string> {
  const asked = (await nodesThatRun(scope))
    .filter((node) => node.services.includes("postgres") && (wish === null || node.id === wish))
    .map((node) => askCopy(scope, node, shortSeconds));
  const survivor = bestCopy((await Promise.all(asked)).flat());
  if (survivor !== null) return survivor;
  throw new NoSurvivorError(
    wish === null ? "no node with data answers: restore a backup" : `${wish} does not answer`,
  );
}

/** As EC2 has it: a machine that is known to be down need not be waited for. */
async function nodesThatRun(scope: ClusterScope): Promise<ClusterNode[]> {
  const [{ nodes }, instances] = await Promise.all([
    readCluster(scope),
    scope.ports.compute.listInstances(scope.clusterId),
  ]);
  const up = new Set(instances.filter((one) => one.state === "running").map((one) => one.instanceId));
  return runningNodes(nodes).filter((node) => up.has(node.instanceId ?? ""));
}

async function askCopy(scope: ClusterScope, node: ClusterNode, seconds: number): Promise<Copy[]> {
  const input = { clusterId: scope.clusterId, nodeId: node.id };
  try {
    const { reached } = await runOn(scope, node, "wal-position", "wal-position", seconds, input);
    return [{ nodeId: node.id, reached }];
  } catch (error) {
    // A node that has been made anew knows nothing and has nothing.
    const hasNothing = error instanceof CommandError && error.code === "not-configured";
    if (hasNothing || isSilence(error)) return [];
    throw error;
  }
}

/**
 * A node that answers stops and forgets the old etcd, and keeps its copy of the data. One that does not, loses its
 * instance and gives up its volume: what is on it belongs to the etcd that is gone.
 */
export async function setAside(
  scope: ClusterScope,
  nodeId: string,
  deadlines: ConvergeDeadlines,
): Promise<string> {
  const { node } = await readNode(scope, nodeId);
  const keepsWhat = dcsAndPostgres.some((service) => node.services.includes(service));
  if (!keepsWhat) return "has neither data nor etcd";
  const stands = await standStill(scope, node, deadlines);
  const { compute, store } = scope.ports;
  if (stands) {
    await store.putNode(scope.clusterId, { ...node, services: withoutEtcd(node.services) });
    return "stands still";
  }
  await compute.removeInstance(scope.clusterId, nodeId);
  await store.putNode(scope.clusterId, {
    ...node,
    services: withoutEtcd(node.services),
    instanceId: null,
    volumeId: null,
    state: "pending",
  });
  return "does not answer, and is made anew";
}

/** @returns whether it does; a node that refuses to is not to be trusted either. */
async function standStill(
  scope: ClusterScope,
  node: ClusterNode,
  deadlines: ConvergeDeadlines,
): Promise<boolean> {
  if (!(await nodesThatRun(scope)).some((one) => one.id === node.id)) return false;
  const target = { clusterId: scope.clusterId, nodeId: node.id };
  const step = `set-aside.${node.id}`;
  const { shortSeconds, shutDownSeconds } = deadlines;
  const input = { ...target, services: [...dcsAndPostgres], deadlineSeconds: shutDownSeconds };
  try {
    await runOn(scope, node, "shut-down", step, shutDownSeconds, input);
    await runOn(scope, node, "forget-dcs", step, shortSeconds, target);
    return true;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

/**
 * An etcd of one, which knows nothing. Patroni finds its data and leads; it does so only with a PostgreSQL that it has
 * started itself, so that this stops first.
 */
export async function foundDcs(
  scope: ClusterScope,
  nodeId: string,
  deadlines: ConvergeDeadlines,
): Promise<void> {
  const { cluster, node } = await readNode(scope, nodeId);
  const { configureSeconds, memberSeconds, prepareSeconds, shortSeconds, shutDownSeconds } = deadlines;
  const target = { clusterId: cluster.id, nodeId };
  const step = "found-dcs";
  const services = [...dcsAndPostgres];
  const stop = { ...target, services, deadlineSeconds: shutDownSeconds };
  await runOn(scope, node, "shut-down", step, shutDownSeconds, stop);
  await runOn(scope, node, "forget-dcs", step, shortSeconds, target);
  await scope.ports.store.putNode(cluster.id, { ...node, services: withEtcd(node.services) });
  const typeOf = await instanceTypes(scope, cluster);
  const order = { nodeId, instanceType: typeOf(node), dcsState: "new", step } as const;
  await configureNode(scope, { ...order, prepareSeconds, configureSeconds });
  const { isThere, state } = await runOn(scope, node, "await-member", step, memberSeconds, {
    ...target,
    member: nodeId,
    timeoutSeconds: memberSeconds,
  });
  if (!isThere) throw new NoLeaderError(`the survivor does not lead: it is ${state}`);
}
