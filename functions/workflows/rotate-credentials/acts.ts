import {
  type Cluster,
  type Login,
  nextPasswordParameter,
  passwordParameter,
  type RotateRequest,
  rotateRequestSchema,
  shardsOf,
  userOf,
  validLogins,
} from "@pgherd/layers/domain";
import { newPassword } from "@pgherd/layers/runtime/secrets";
import {
  type ClusterAct,
  type ClusterNodeAct,
  type ClusterScope,
  readCluster,
} from "../create-cluster/records.ts";
import { sayStatus } from "../maintenance-mode.ts";
import { once } from "../node-work.ts";
import { requireLeader, runningNodes, runOn } from "../shards.ts";

/**
 * The verbs compare what is with what Parameter Store says, so each is sent `once`: in between there may be other
 * passwords.
 */

/** Nodes get ready within seconds; SSM may deliver to one of them later than to the others. */
const switchSeconds = 60;
const loginsSeconds = 60;
const followSeconds = 60;

const requestOf = (scope: ClusterScope): RotateRequest => rotateRequestSchema.parse(scope.request);

/** Made once, beside those in use: whoever repeats this finds them. */
export const makePasswords: ClusterAct = async (scope) => {
  const { ports, clusterId } = scope;
  const { environment } = ports.settings;
  const request = requestOf(scope);
  const parameters =
    request.mode === "at-once"
      ? request.names.map((name) => nextPasswordParameter(environment, clusterId, name))
      : request.mode === "take-turns"
        ? request.begin.map((login) => passwordParameter(environment, clusterId, login))
        : [];
  for (const name of parameters) await ports.secrets.ensure(name, clusterId, async () => newPassword());
};

/** The moment from which on PostgreSQL takes the new ones. */
export const change: ClusterAct = async (scope) => {
  const request = requestOf(scope);
  const cluster = await readCluster(scope);
  for (const shard of shardsOf(cluster.nodes)) {
    if (request.mode === "at-once") await switchAtOnce(scope, cluster, shard, request.names);
    else if (request.mode === "take-turns") await changeLogins(scope, cluster, shard, request.begin, []);
    else await changeLogins(scope, cluster, shard, [], request.end);
  }
};

/**
 * The leader's commit decides: a node that does not follow now follows with everything else afterwards. Without a
 * leader nobody has changed anything.
 */
async function switchAtOnce(
  scope: ClusterScope,
  cluster: Cluster,
  shard: number,
  names: Extract<RotateRequest, { mode: "at-once" }>["names"],
): Promise<void> {
  const nodes = runningNodes(cluster.nodes).filter((node) => node.shard === shard);
  const step = once(`switch-${shard}`);
  const outcomes = await Promise.allSettled(
    nodes.map((node) =>
      runOn(scope, node, "switch-passwords", step, switchSeconds, {
        environment: scope.ports.settings.environment,
        clusterId: cluster.id,
        nodeId: node.id,
        switchId: `${scope.operationId}-${shard}`,
        names,
        nodeIds: nodes.map(({ id }) => id),
        deadlineSeconds: switchSeconds,
      }),
    ),
  );
  if (outcomes.some((one) => one.status === "fulfilled" && one.value.isLeader)) return;
  const failed = outcomes.find((one) => one.status === "rejected");
  throw failed?.reason instanceof Error ? failed.reason : new NotSwitchedError(shard);
}

class NotSwitchedError extends Error {
  readonly code = "no-leader";
  constructor(shard: number) {
    super(`no node of shard ${shard} led it while the passwords were to change`);
  }
}

async function changeLogins(
  scope: ClusterScope,
  cluster: Cluster,
  shard: number,
  enable: Login[],
  disable: Login[],
): Promise<void> {
  const leader = await requireLeader(scope, shard);
  await runOn(scope, leader, "change-logins", once(`logins-${shard}`), loginsSeconds, {
    environment: scope.ports.settings.environment,
    clusterId: cluster.id,
    nodeId: leader.id,
    database: cluster.spec.database,
    enable,
    disable,
  });
}

/** What PostgreSQL takes now is what Parameter Store says from now on. */
export const keep: ClusterAct = async (scope) => {
  const request = requestOf(scope);
  if (request.mode !== "at-once") return;
  const { ports, clusterId } = scope;
  const { environment } = ports.settings;
  for (const name of request.names) {
    const next = nextPasswordParameter(environment, clusterId, name);
    const value = await ports.secrets.find(next);
    // A repetition that comes after the parameter was removed has nothing left to do.
    if (value === null) continue;
    await ports.secrets.replace(passwordParameter(environment, clusterId, name), value);
    await ports.secrets.remove([next]);
  }
};

/** Logins that are valid once the operation is through. */
function loginsAfter(cluster: Cluster, request: RotateRequest): Login[] {
  const now = validLogins(cluster);
  switch (request.mode) {
    case "at-once":
      return now;
    case "take-turns":
      return [...new Set([...now, ...request.begin])];
    case "retire":
      return now.filter((login) => !request.end.includes(login));
  }
}

/** Everything on the node that holds a password, and the poolers' users. */
export const follow: ClusterNodeAct = async (scope, nodeId) => {
  const cluster = await readCluster(scope);
  const node = runningNodes(cluster.nodes).find((one) => one.id === nodeId);
  if (node === undefined) return "does not run";
  const { changed } = await runOn(scope, node, "follow-passwords", once("follow"), followSeconds, {
    environment: scope.ports.settings.environment,
    clusterId: cluster.id,
    nodeId,
    logins: loginsAfter(cluster, requestOf(scope)),
  });
  return changed.length === 0 ? "as it should be" : `${changed.length} files`;
};

/** Connections are told of the new logins only when every pooler knows them. */
export const record: ClusterAct = async (scope) => {
  const request = requestOf(scope);
  const { ports, clusterId, operationId } = scope;
  if (request.mode === "take-turns") {
    const { logins } = await readCluster(scope);
    const turned = Object.fromEntries(request.begin.map((login) => [userOf(login), login]));
    await ports.store.recordOnCluster(clusterId, operationId, {
      logins: { ...logins, ...turned },
      retiring: request.retiring,
    });
  }
  if (request.mode === "retire") {
    await ports.store.recordOnCluster(clusterId, operationId, { retiring: null });
    const { environment } = ports.settings;
    await ports.secrets.remove(request.end.map((login) => passwordParameter(environment, clusterId, login)));
  }
  await sayStatus(scope);
};
