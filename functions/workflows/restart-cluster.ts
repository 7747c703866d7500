import {
  planRestart,
  type RestartCourse,
  type Restarted,
  type RollingChange,
  type RollingPlan,
  restartCourseSchema,
  restartRequestSchema,
  rollingMember,
  shardsOf,
} from "@pgherd/layers/domain";
import { CommandError } from "@pgherd/layers/ports";
import { type Loop, loopHandler } from "@pgherd/layers/runtime/workflow";
import { coursesOf } from "./course.ts";
import { type ClusterScope, readCluster, readNode } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { moveLeader, patienceSecondsDefault } from "./role-change.ts";
import { observeShard, runOn } from "./shards.ts";

/** A change that failed for a reason that passes; everything else stops the roll. */
const attemptsMax = 3;
/** Nine members, each at most twice, and two moves of the leader; more goes in circles. */
const roundsMax = 40;
/** The last checkpoint of much memory on a slow disk, the start, and the WAL that was missed meanwhile. */
const restartSeconds = 300;
/** Who is away may only be on its way back, such as the member that was restarted last. */
const returnSeconds = 60;
const lookMs = 1_000;

interface Change {
  readonly shard: number;
  readonly change: RollingChange;
  /** How much was done when this was planned: what was carried out before is known by it. */
  readonly before: number;
}

const { read: readCourse, write: writeCourse } = coursesOf(restartCourseSchema);

class BlockedError extends Error {
  readonly code = "member-not-streaming";
}

/** Restarts one member after the other until every one of those that were meant is done. */
export const restartLoop: Loop<ClusterPorts, Change> = {
  kind: "restart-cluster",
  attemptsMax,
  roundsMax,
  next: async (scope) => {
    const { nodes } = await readCluster(scope);
    for (const shard of shardsOf(nodes)) {
      const change = await nextIn(scope, shard);
      if (change !== null) return { shard, change, before: countDone(await readCourse(scope)) };
    }
    return null;
  },
  nameOf: ({ change }) =>
    change.kind === "move-leader" ? `move the leader from ${change.from}` : `restart ${change.nodeId}`,
  carryOut: async (scope, planned) => {
    const { change, before } = planned;
    // The process before this one came to the end of it, and died before anybody heard.
    if (countDone(await readCourse(scope)) > before) return undefined;
    return change.kind === "move-leader" ? move(scope, planned, change) : restart(scope, planned, change);
  },
  statusAt: (ending) =>
    ending.state === "failed"
      ? { status: "degraded", statusReason: `The restart did not come to its end. ${ending.message}` }
      : { status: "available", statusReason: "Every member runs and answers its clients." },
};

async function nextIn(scope: ClusterScope, shard: number): Promise<RollingChange | null> {
  const deadline = Date.now() + returnSeconds * 1000;
  for (;;) {
    const plan = await plans(scope, shard);
    if (plan === null) return null;
    if ("change" in plan) return plan.change;
    if (Date.now() > deadline) throw new BlockedError(plan.blocked);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

async function plans(scope: ClusterScope, shard: number): Promise<RollingPlan> {
  const wish = restartRequestSchema.parse(scope.request);
  const [{ restarted }, { members }] = await Promise.all([readCourse(scope), observeShard(scope, shard)]);
  return planRestart(wish, restarted, members.map(rollingMember));
}

const countDone = ({ restarted, leaderMoves }: RestartCourse): number =>
  restarted.length + leaderMoves.length;

async function move(
  scope: ClusterScope,
  { shard }: Change,
  { avoid, candidate, from }: Extract<RollingChange, { kind: "move-leader" }>,
): Promise<string> {
  const { force } = restartRequestSchema.parse(scope.request);
  const moved = await moveLeader(scope, {
    shard,
    candidate,
    avoid,
    force,
    step: "move-leader",
    patienceSeconds: patienceSecondsDefault,
  });
  const { pauseMs, to } = moved;
  const { leaderMoves } = await readCourse(scope);
  await writeCourse(scope, { leaderMoves: [...leaderMoves, { from, to, pauseMs }] });
  return pauseMs === null
    ? `${to} leads.`
    : `${to} leads; clients of the poolers were held for ${pauseMs} ms.`;
}

async function restart(
  scope: ClusterScope,
  { shard, before }: Change,
  { isLeader, nodeId, withPatroni }: Extract<RollingChange, { kind: "restart-member" }>,
): Promise<string | undefined> {
  const { node } = await readNode(scope, nodeId);
  try {
    const { pauseMs } = await runOn(
      scope,
      node,
      "restart-member",
      `restart.${nodeId}.${before}`,
      restartSeconds,
      {
        environment: scope.ports.settings.environment,
        clusterId: scope.clusterId,
        nodeId: node.id,
        shard,
        onLeader: isLeader,
        withPatroni,
        deadlineSeconds: restartSeconds,
      },
    );
    const done: Restarted = { nodeId, inPlace: isLeader };
    const { restarted } = await readCourse(scope);
    await writeCourse(scope, { restarted: [...restarted, done] });
    return pauseMs === null ? undefined : `Clients of the poolers were held for ${pauseMs} ms.`;
  } catch (error) {
    // It has become the leader since the plan was made: the next plan sees that.
    if (error instanceof CommandError && error.code === "member-leads")
      return "It leads now, and comes last.";
    throw error;
  }
}

export const handler = loopHandler(restartLoop, openPorts);
