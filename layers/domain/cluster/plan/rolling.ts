import { sharedParameters } from "../../postgres/parameter-rules.ts";
import type { Change, Plan } from "./change.ts";
import type { PendingParameter } from "./observed.ts";
import { mayTakeAway } from "./quorum.ts";
import { giveUp } from "./repair.ts";
import type { PlannedNode, Situation } from "./situation.ts";

const change = (one: Change): Plan => ({ change: one });

/**
 * What takes a node away for a while, one node at a time and the leader's last, so that the leader moves once. Every
 * rule before this one has seen to it that everybody is there.
 */
export function rollOver(situation: Situation): Plan {
  const { leader } = situation;
  const others = situation.staying.filter((node) => !node.isLeader).toSorted(leastMissedFirst);
  const steps = others.flatMap((node) => workOn(situation, node) ?? []);
  const possible = steps.find((step) => "change" in step) ?? steps[0];
  if (possible !== undefined) return possible;
  return leader === null ? null : rollLeader(situation, leader);
}

/** The last member that stays is worked on in place, once those that leave have left: else one of them would take over. */
function rollLeader(situation: Situation, leader: PlannedNode): Plan {
  if (leader.isLeaving) return moveLeader(situation, leader);
  if (!hasWork(situation, leader)) return null;
  const isInPlace = !leader.wantsNewInstance && !isProgramStale(leader) && isLowered(leader);
  if (isInPlace) return restart(leader);
  const isLast = situation.leaving.every((node) => node.role !== "data");
  return moveLeader(situation, leader) ?? (isLast ? workOn(situation, leader) : null);
}

/** Who does not do its part already is not missed at all, and a replica that no commit waits for costs little. */
function leastMissedFirst(left: PlannedNode, right: PlannedNode): number {
  const loss = ({ member }: PlannedNode): number =>
    Number(member?.isHealthy ?? false) + Number(member?.isSynchronous ?? false);
  return loss(left) - loss(right);
}

function hasWork(situation: Situation, node: PlannedNode): boolean {
  return node.wantsNewInstance || isProgramStale(node) || isRestartable(situation, node);
}

function workOn(situation: Situation, node: PlannedNode): Plan {
  if (node.wantsNewInstance) {
    return mayTakeAway(situation, node.id)
      ? giveUp(situation, node)
      : { blocked: `etcd would lose its majority while ${node.id} is replaced.` };
  }
  return isProgramStale(node) || isRestartable(situation, node) ? restart(node) : null;
}

function restart(node: PlannedNode): Plan {
  const { id: nodeId, isLeader } = node;
  return change({ kind: "restart-member", nodeId, isLeader, withPatroni: isProgramStale(node) });
}

const isProgramStale = (node: PlannedNode): boolean => node.member?.isProgramStale ?? false;

/**
 * A standby must not have less of the shared parameters than its leader, and runs with the leader's value until that
 * has been restarted with the lower one: until then, restarting it for that would change nothing.
 */
function isRestartable({ request, leader }: Situation, node: PlannedNode): boolean {
  const pending = node.member?.pendingRestart ?? null;
  if (request.apply !== "restart" || pending === null) return false;
  const ahead = node.isLeader ? [] : (leader?.member?.pendingRestart ?? []).filter(isLowering);
  return pending.some((one) => !ahead.some((other) => other.name === one.name));
}

/** Only the leader itself can take a shared parameter down: moving the leader would not help. */
function isLowered(leader: PlannedNode): boolean {
  return (leader.member?.pendingRestart ?? []).some(isLowering);
}

export function isLowering({ name, from, to }: PendingParameter): boolean {
  return name in sharedParameters && from !== null && to !== null && to < from;
}

/** To a member that has nothing to be done to it; to one that leaves only where no other is there. */
function moveLeader(situation: Situation, leader: PlannedNode): Plan {
  const replicas = situation.nodes.filter(
    (node) =>
      node.role === "data" &&
      !node.isLeader &&
      node.member?.isHealthy === true &&
      node.instance?.answers === true,
  );
  const staying = replicas.filter((node) => !node.isLeaving && !hasWork(situation, node));
  const mayGoFurther = !leader.isLeaving && isDcsElsewhere(situation, leader);
  const candidates = staying.length > 0 || !mayGoFurther ? staying : replicas;
  if (candidates.length === 0) return null;
  const avoid = situation.nodes
    .filter((node) => node.role === "data" && !node.isLeader && !candidates.includes(node))
    .map((node) => node.id);
  return change({ kind: "move-leader", from: leader.id, candidate: null, avoid });
}

/** Where etcd goes away with the node, nobody could lead meanwhile. */
function isDcsElsewhere({ voters }: Situation, node: PlannedNode): boolean {
  return voters.length > 1 || voters.every((voter) => voter.nodeId !== node.id);
}
