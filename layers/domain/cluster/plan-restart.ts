import type { Observation } from "../node/observation.ts";
import type { Blocked, Change } from "./plan/change.ts";
import type { PendingParameter } from "./plan/observed.ts";
import { isLowering } from "./plan/rolling.ts";

/** What a call wants restarted. */
export interface RestartWish {
  /** Null: every member. */
  readonly nodeIds: readonly string[] | null;
  /** Only members with a parameter that waits for it. */
  readonly onlyPendingRestart: boolean;
}

/** A member of the shard as the roll sees it. */
export interface RollingMember {
  readonly nodeId: string;
  readonly isLeader: boolean;
  /** Streams from the leader, or leads and runs. */
  readonly isHealthy: boolean;
  readonly isSynchronous: boolean;
  /** Parameters that wait for a restart. */
  readonly pending: readonly PendingParameter[];
}

/** A restart that this operation has made. */
export interface Restarted {
  readonly nodeId: string;
  /** As the leader, where it was. */
  readonly inPlace: boolean;
}

export type RollingChange = Extract<Change, { kind: "restart-member" | "move-leader" }>;
export type RollingPlan = { readonly change: RollingChange } | Blocked | null;

/** Patroni's words for a member that does its part. */
export function rollingMember(member: Observation["members"][number]): RollingMember {
  const isLeader = member.role === "leader";
  return {
    nodeId: member.nodeId,
    isLeader,
    isHealthy: member.state === (isLeader ? "running" : "streaming"),
    isSynchronous: member.role === "sync-standby",
    pending: pendingOf(member),
  };
}

/** A Patroni that gives no reason has one all the same. */
function pendingOf({ pendingRestart, waiting }: Observation["members"][number]): PendingParameter[] {
  if (!pendingRestart) return [];
  return (waiting ?? [{ name: "", from: "", to: "" }]).map(({ name, from, to }) => ({
    name,
    from: numberOf(from),
    to: numberOf(to),
  }));
}

const numberOf = (text: string): number | null => (/^-?\d+$/.test(text) ? Number(text) : null);

/**
 * The next step of a roll through one shard: replicas one at a time, those first that are missed least; the leader
 * last, after another one has taken over. A leader without a replica, and one that takes a parameter down which its
 * standbys must not have less of, is restarted where it is. Null: everybody is done.
 */
export function planRestart(
  wish: RestartWish,
  done: readonly Restarted[],
  members: readonly RollingMember[],
): RollingPlan {
  const due = members.filter((member) => isDue(wish, done, members, member));
  if (due.length === 0) return null;
  const leader = members.find((member) => member.isLeader);
  if (leader === undefined)
    return { blocked: "The shard has no leader: a replica could not stream from it." };
  const [replica] = due.filter((member) => !member.isLeader).toSorted(leastMissedFirst);
  if (replica !== undefined) return restartReplica(replica, members);
  const away = members.find((member) => !member.isLeader && !member.isHealthy);
  if (away !== undefined) return { blocked: absence(away) };
  if (members.length === 1 || (wish.onlyPendingRestart && leader.pending.some(isLowering))) {
    return restart(leader);
  }
  return { change: { kind: "move-leader", from: leader.nodeId, candidate: null, avoid: [leader.nodeId] } };
}

/** Once; and again where only the leader's restart has made a parameter's new value possible. */
function isDue(
  wish: RestartWish,
  done: readonly Restarted[],
  members: readonly RollingMember[],
  member: RollingMember,
): boolean {
  if (wish.nodeIds !== null && !wish.nodeIds.includes(member.nodeId)) return false;
  const last = done.findLastIndex((one) => one.nodeId === member.nodeId);
  const isAgain = last >= 0;
  if (isAgain && !done.slice(last + 1).some((one) => one.inPlace)) return false;
  return isAgain || wish.onlyPendingRestart ? canTakeEffect(member, members) : true;
}

/**
 * A standby must not have less of the shared parameters than its leader, and runs with the leader's value until that
 * has been restarted with the lower one: restarting it before would change nothing.
 */
function canTakeEffect(member: RollingMember, members: readonly RollingMember[]): boolean {
  if (member.isLeader) return member.pending.length > 0;
  const leader = members.find((one) => one.isLeader);
  const ahead = (leader?.pending ?? []).filter(isLowering).map((one) => one.name);
  return member.pending.some((one) => !ahead.includes(one.name));
}

/** Who does not do its part already is not missed at all, and a replica that no commit waits for costs little. */
function leastMissedFirst(left: RollingMember, right: RollingMember): number {
  const loss = (member: RollingMember): number => Number(member.isHealthy) + Number(member.isSynchronous);
  return loss(left) - loss(right) || (left.nodeId < right.nodeId ? -1 : 1);
}

/** Never a second one away: with it the last copy of what was acknowledged could be. */
function restartReplica(replica: RollingMember, members: readonly RollingMember[]): RollingPlan {
  const away = members.find((member) => member !== replica && !member.isHealthy);
  if (replica.isHealthy && away !== undefined) return { blocked: absence(away) };
  return restart(replica);
}

const absence = ({ nodeId, isLeader }: RollingMember): string =>
  isLeader ? `The leader ${nodeId} does not run.` : `${nodeId} does not stream from the leader.`;

function restart({ nodeId, isLeader }: RollingMember): RollingPlan {
  return { change: { kind: "restart-member", nodeId, isLeader, withPatroni: false } };
}

/** Who would be restarted, in this order, as far as can be told beforehand. */
export function forecastRestart(wish: RestartWish, members: readonly RollingMember[]): RollingChange[] {
  const changes: RollingChange[] = [];
  const done: Restarted[] = [];
  let state = members.map((member) => ({ ...member, isHealthy: true }));
  // Each is restarted at most twice, and the leader moves at most once.
  for (let round = 0; round <= 2 * members.length + 1; round += 1) {
    const plan = planRestart(wish, done, state);
    if (plan === null || !("change" in plan)) break;
    const { change } = plan;
    changes.push(change);
    if (change.kind === "restart-member") done.push({ nodeId: change.nodeId, inPlace: change.isLeader });
    state = afterRollingChange(change, state);
  }
  return changes;
}

/** How the shard looks when a change went well. */
export function afterRollingChange(
  change: RollingChange,
  members: readonly RollingMember[],
): RollingMember[] {
  if (change.kind === "restart-member") {
    const ahead = members.find((member) => member.isLeader)?.pending.filter(isLowering) ?? [];
    const isHeld = (one: PendingParameter) =>
      !change.isLeader && ahead.some((other) => other.name === one.name);
    return members.map((member) =>
      member.nodeId === change.nodeId
        ? { ...member, isHealthy: true, pending: member.pending.filter(isHeld) }
        : member,
    );
  }
  const able = members.filter((member) => !change.avoid.includes(member.nodeId) && member.isHealthy);
  const next = able.find((member) => member.isSynchronous) ?? able[0];
  return members.map((member) => ({
    ...member,
    isLeader: member === next,
    isSynchronous: member.nodeId === change.from,
  }));
}
