import {
  type Cluster,
  type ClusterNode,
  isSynchronousAvoided,
  objectionProblem,
  objectionsTo,
  Problem,
  withCandidate,
} from "@pgherd/layers/domain";
import type { Assessment } from "@pgherd/layers/domain/node";
import { assessRoleChange, errorFields, log } from "@pgherd/layers/runtime";
import type { Scope } from "@pgherd/layers/runtime/workflow";
import { type ClusterScope, known, readCluster } from "./create-cluster/records.ts";
import type { ClusterPorts } from "./ports.ts";
import { narrowSynchronous, widenSynchronous } from "./synchronous-standbys.ts";

export interface LeaderMove {
  readonly shard: number;
  /** Null: the best of those that can. */
  readonly candidate: string | null;
  /** Nodes that must not lead afterwards; where none of them leads and no candidate is named, nothing is to be done. */
  readonly avoid: readonly string[];
  readonly force?: boolean;
  /** One word, unique in the operation: the nodes know a repeated command by it. */
  readonly step: string;
  /** What stands in the way and can pass is waited for this long. */
  readonly patienceSeconds: number;
}

export interface LeaderMoved {
  readonly from: string | null;
  readonly to: string;
  /** How long clients of the poolers were held; null where nothing had to be done, or nobody measured it. */
  readonly pauseMs: number | null;
}

/** Enough for clients of a replica that was just restarted to be streaming again, and for its replay. */
export const patienceSecondsDefault = 60;
/** The nodes of a machine that is short of everything answer late; from then on their silence is an outage. */
const silenceSecondsMax = 30;
/** Between two looks at what stands in the way. */
const lookMs = 1_000;
/** A shutdown checkpoint of a busy leader on a slow disk, and the promotion. */
const roleChangeSeconds = 90;
/** A command's answer travels after the node's own deadline passed. */
const commandGraceSeconds = 15;
const dcsMoveSeconds = 15;

/**
 * The one way in which a leader is moved on purpose: by what is true on the nodes now, with the poolers' clients held,
 * and with etcd's leader elsewhere afterwards. Moved already is success.
 * @throws {Problem} what stands in the way
 */
export async function moveLeader(scope: Scope<ClusterPorts>, move: LeaderMove): Promise<LeaderMoved> {
  const cluster = await readCluster(scope);
  let isWidened = false;
  const widen = async (seen: Assessment): Promise<void> => {
    if (isWidened || move.candidate !== null || !isSynchronousAvoided(seen, move.avoid)) return;
    isWidened = true;
    await widenSynchronous(scope, cluster, move.shard, seen.members.length - 1);
  };
  try {
    return await moveWhenReady(scope, cluster, move, widen);
  } finally {
    if (isWidened) await narrowSynchronous(scope, cluster, move.shard);
  }
}

async function moveWhenReady(
  scope: ClusterScope,
  cluster: Cluster,
  move: LeaderMove,
  onObjection: (seen: Assessment) => Promise<void>,
): Promise<LeaderMoved> {
  const assessment = await awaitReady(scope, cluster, move, onObjection);
  const from = assessment.leader;
  const to = known(assessment.candidate, "candidate", cluster.id);
  if (isSettled(assessment, move)) {
    return { from, to: known(from, "leader", cluster.id), pauseMs: null };
  }
  const { pauseMs } = await changeRole(scope, {
    cluster,
    conductor: from ?? to,
    shard: move.shard,
    from,
    to,
    force: move.force ?? false,
    step: `${move.step}.${from ?? "nobody"}.${to}`,
  });
  return { from, to, pauseMs };
}

/** The act itself, on the conductor's node; then etcd's leader goes elsewhere. */
export async function changeRole(
  scope: ClusterScope,
  change: {
    readonly cluster: Cluster;
    readonly conductor: string;
    readonly shard: number;
    readonly from: string | null;
    readonly to: string;
    readonly force: boolean;
    readonly step: string;
  },
): Promise<{ pauseMs: number | null }> {
  const { cluster, from, force, shard, step, to } = change;
  const { settings, commands } = scope.ports;
  const conductor = nodeOf(cluster, change.conductor);
  const changed = await commands.run(
    {
      instanceId: known(conductor.instanceId, "instance", conductor.id),
      operationId: scope.operationId,
      step,
      deadlineSeconds: roleChangeSeconds + commandGraceSeconds,
    },
    "change-role",
    {
      environment: settings.environment,
      clusterId: cluster.id,
      nodeId: conductor.id,
      shard,
      from,
      to,
      force,
      deadlineSeconds: roleChangeSeconds,
    },
  );
  await separateLeaders(scope, nodeOf(cluster, to), step);
  return changed;
}

/** Nobody asked for somebody in particular, and none of those that must not lead does. */
function isSettled({ leader }: Assessment, { candidate, avoid }: LeaderMove): boolean {
  if (leader === null) return false;
  return candidate === null ? !avoid.includes(leader) : candidate === leader;
}

/** A replica that was just restarted needs a moment before it can take over, and a transaction one to end. */
export async function awaitReady(
  scope: ClusterScope,
  cluster: Cluster,
  move: LeaderMove,
  onObjection: (assessment: Assessment) => Promise<void> = async () => undefined,
): Promise<Assessment> {
  const deadline = Date.now() + move.patienceSeconds * 1000;
  const { avoid, candidate } = move;
  for (;;) {
    const seen = await assess(scope, cluster, move);
    if (isSettled(seen, move)) return { ...seen, candidate: seen.leader };
    const assessment = candidate === null ? withCandidate(seen, avoid) : seen;
    const [objection, ...others] = objectionsTo(assessment, { candidate, force: move.force ?? false });
    if (objection === undefined) return assessment;
    const canWait = [objection, ...others].every((one) => one.isPassing);
    if (!canWait || Date.now() > deadline) throw objectionProblem(objection);
    await onObjection(assessment);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** @throws {Problem} `cluster-unreachable` when nobody answers for as long as `silenceSecondsMax`. */
async function assess(scope: ClusterScope, cluster: Cluster, move: LeaderMove): Promise<Assessment> {
  const deadline = Date.now() + silenceSecondsMax * 1000;
  const { candidate, shard } = move;
  for (;;) {
    try {
      return await assessRoleChange(scope.ports.commands, cluster, { shard, candidate });
    } catch (error) {
      const isSilence = error instanceof Problem && error.code === "cluster-unreachable";
      if (!isSilence || Date.now() > deadline) throw error;
      log("warn", "no member answers", { clusterId: cluster.id, ...errorFields(error) });
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }
}

/**
 * Losing etcd's leader and PostgreSQL's at once costs an election more. It is no reason to fail: the leader has moved,
 * and etcd works wherever its leader is.
 */
async function separateLeaders(scope: ClusterScope, leader: ClusterNode, step: string): Promise<void> {
  try {
    await scope.ports.commands.run(
      {
        instanceId: known(leader.instanceId, "instance", leader.id),
        operationId: scope.operationId,
        step: `${step}.dcs-leader`,
        deadlineSeconds: dcsMoveSeconds,
      },
      "move-dcs-leader",
      { clusterId: scope.clusterId, nodeId: leader.id, to: null },
    );
  } catch (error) {
    log("warn", "etcd's leader could not be moved off PostgreSQL's", {
      clusterId: scope.clusterId,
      ...errorFields(error),
    });
  }
}

function nodeOf(cluster: Cluster, nodeId: string): ClusterNode {
  return known(cluster.nodes.find((node) => node.id === nodeId) ?? null, "record", nodeId);
}
