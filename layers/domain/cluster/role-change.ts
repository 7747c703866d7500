import type { Assessment } from "../node/role-change-verbs.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import type { ClusterNode } from "./cluster.ts";

/** A replica that has this much to replay needs about a second for it, and every client waits meanwhile. */
export const replayLagBytesMax = 16 * 1024 * 1024;
/** PAUSE waits for open transactions, and everybody else waits for PAUSE. */
export const transactionSecondsMax = 5;
/** PostgreSQL archives what is left before it shuts down; a segment takes some 100 ms. */
export const archiveQueueMax = 4;

export interface RoleChangeWish {
  readonly candidate: string | null;
  /** Transactions that do not end in time are broken. */
  readonly force: boolean;
}

/** What speaks against moving the leader now. */
export interface Objection {
  readonly code: ProblemCode;
  readonly detail: string;
  /** It can be otherwise in a moment, without anybody doing anything. */
  readonly isPassing: boolean;
}

/**
 * Whether `candidate` can be meant at all.
 * @throws {Problem} `candidate-unknown`, `candidate-is-leader`
 */
export function checkCandidate(
  candidate: string,
  shard: number,
  nodes: readonly ClusterNode[],
  leader: string | null,
): void {
  const members = nodes.filter((node) => node.shard === shard && node.services.includes("postgres"));
  if (!members.some((node) => node.id === candidate)) {
    const others = members.map((node) => node.id).filter((id) => id !== leader);
    throw new Problem(
      "candidate-unknown",
      `${candidate} is not a member of this cluster's shard ${shard}. ${others.length === 0 ? "There is no replica." : `Its replicas are ${others.join(", ")}.`}`,
      { errors: [{ path: "/candidate", message: "must be the node id of a replica of this cluster" }] },
    );
  }
  if (candidate === leader) {
    throw new Problem("candidate-is-leader", `${candidate} is the leader already.`, {
      errors: [{ path: "/candidate", message: "must not be the leader" }],
    });
  }
}

/** Everything that speaks against a planned role change, the gravest first. */
export function objectionsTo(assessment: Assessment, wish: RoleChangeWish): Objection[] {
  return [
    ...shardObjections(assessment),
    ...candidateObjections(assessment, wish),
    ...memberObjections(assessment),
    ...(wish.force ? [] : patienceObjections(assessment)),
  ];
}

function shardObjections({ dcs, leader, scheduled }: Assessment): Objection[] {
  const objections: Objection[] = [];
  if (!dcs.quorum) {
    objections.push({
      code: "dcs-without-quorum",
      detail: "etcd has no majority: nobody can become the leader until it has one again.",
      isPassing: true,
    });
  }
  if (leader === null) {
    objections.push({
      code: "no-leader",
      detail: "There is no leader that could hand over. A failover appoints one.",
      isPassing: true,
    });
  }
  if (scheduled) {
    objections.push({
      code: "role-change-in-progress",
      detail: "Patroni is about to change the leader already.",
      isPassing: true,
    });
  }
  return objections;
}

function candidateObjections(assessment: Assessment, wish: RoleChangeWish): Objection[] {
  const id = assessment.candidate;
  const chosen = assessment.members.find((member) => member.nodeId === id);
  if (id === null || chosen === undefined) {
    const detail =
      wish.candidate === null
        ? "No replica could take over: none streams from the leader and may be promoted."
        : `${wish.candidate} cannot take over: Patroni does not know it, or it does not run.`;
    return [{ code: "no-candidate", detail, isPassing: true }];
  }
  if (chosen.noFailover) {
    return [{ code: "no-candidate", detail: `${id} is tagged never to be promoted.`, isPassing: false }];
  }
  if (assessment.synchronousMode !== "off" && !chosen.isSynchronous) {
    return [
      {
        code: "candidate-not-synchronous",
        detail: `${id} is not a synchronous standby, and the cluster's durability asks for one. ${synchronousOf(assessment)}`,
        isPassing: true,
      },
    ];
  }
  return [];
}

function synchronousOf({ members }: Assessment): string {
  const ids = members.filter((member) => member.isSynchronous).map((member) => member.nodeId);
  return ids.length === 0 ? "At present there is none." : `Synchronous now: ${ids.join(", ")}.`;
}

function memberObjections({ leader, members }: Assessment): Objection[] {
  return members
    .filter((member) => member.nodeId !== leader && member.state !== "streaming")
    .map((member) => ({
      code: "member-not-streaming" as const,
      detail: `${member.nodeId} does not stream from the leader: it is ${member.state}.`,
      isPassing: true,
    }));
}

/** What only needs a moment; who cannot wait forces it. */
function patienceObjections(assessment: Assessment): Objection[] {
  const chosen = assessment.members.find((member) => member.nodeId === assessment.candidate);
  const objections: Objection[] = [];
  if (chosen !== undefined && (chosen.replayLagBytes ?? Number.POSITIVE_INFINITY) > replayLagBytesMax) {
    const lag = chosen.replayLagBytes === null ? "an unknown number of" : String(chosen.replayLagBytes);
    objections.push({
      code: "replication-lag",
      detail: `${chosen.nodeId} has ${lag} bytes of WAL still to replay; at most ${replayLagBytesMax} are allowed.`,
      isPassing: true,
    });
  }
  if (assessment.oldestTransactionSeconds > transactionSecondsMax) {
    objections.push({
      code: "long-transaction",
      detail: `A transaction has been open for ${Math.round(assessment.oldestTransactionSeconds)} s; everybody would wait for it. At most ${transactionSecondsMax} s are allowed. With force=true it is broken off.`,
      isPassing: true,
    });
  }
  if (assessment.archiveQueueLength > archiveQueueMax) {
    objections.push({
      code: "archive-queue",
      detail: `${assessment.archiveQueueLength} WAL segments wait for the archive; at most ${archiveQueueMax} are allowed, because PostgreSQL archives them before it shuts down.`,
      isPassing: true,
    });
  }
  return objections;
}

/** What a promotion of the candidate may lose; null where it has everything that was acknowledged. */
export function possibleLoss(assessment: Assessment): string | null {
  const chosen = assessment.members.find((member) => member.nodeId === assessment.candidate);
  if (chosen === undefined) return null;
  if (chosen.isSynchronous && assessment.synchronousMode !== "off") return null;
  if (assessment.leader !== null && chosen.replayLagBytes === 0) return null;
  const behind =
    chosen.replayLagBytes === null
      ? "nobody can say how far it is behind"
      : `it is at least ${chosen.replayLagBytes} bytes of WAL behind`;
  return `${chosen.nodeId} is not a synchronous standby, and ${behind}: transactions that were acknowledged and that it has not received are lost.`;
}

export const objectionProblem = ({ code, detail }: Objection): Problem => new Problem(code, detail);

type Member = Assessment["members"][number];

/**
 * The best of those that could lead: has everything that was acknowledged, then has replayed most of it.
 * @param avoid members that are to be passed over
 */
export function bestCandidate(
  members: readonly Member[],
  mode: Assessment["synchronousMode"],
  avoid: readonly string[] = [],
): Assessment["candidate"] {
  const timeline = members.find(({ role }) => role === "leader")?.timeline ?? null;
  const able = members.filter(
    (member) =>
      member.role !== "leader" &&
      !member.noFailover &&
      !avoid.includes(member.nodeId) &&
      (member.state === "streaming" || (timeline === null && member.state === "running")) &&
      (timeline === null || member.timeline === timeline) &&
      (mode === "off" || member.isSynchronous),
  );
  const lag = (member: Member): number => member.replayLagBytes ?? Number.MAX_SAFE_INTEGER;
  const [best] = able.toSorted(
    (left, right) =>
      Number(right.isSynchronous) - Number(left.isSynchronous) ||
      lag(left) - lag(right) ||
      (left.nodeId < right.nodeId ? -1 : 1),
  );
  return best?.nodeId ?? null;
}

/**
 * The assessment with a candidate that is not among those to be avoided. Where only an avoided one is synchronous, it
 * is the one that should become so: it then still is an objection that it is not yet.
 */
export function withCandidate(assessment: Assessment, avoid: readonly string[]): Assessment {
  const { members, synchronousMode } = assessment;
  const candidate = bestCandidate(members, synchronousMode, avoid) ?? bestCandidate(members, "off", avoid);
  return { ...assessment, candidate };
}

/** Whether the only synchronous standbys are ones that must not lead, and somebody else could become one. */
export function isSynchronousAvoided(assessment: Assessment, avoid: readonly string[]): boolean {
  const { candidate, members, synchronousMode } = assessment;
  const synchronous = members.filter((member) => member.isSynchronous);
  return (
    synchronousMode !== "off" &&
    candidate !== null &&
    synchronous.length > 0 &&
    synchronous.every((member) => avoid.includes(member.nodeId))
  );
}
