import type { ObservedDcsMember } from "./observed.ts";
import { findNode, type PlannedNode, type Situation } from "./situation.ts";

export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

const healthy = (members: readonly ObservedDcsMember[]): number =>
  members.filter((member) => member.isHealthy).length;

/** Whether the others still decide once the voter is no voter any more. */
export function mayRemoveVoter({ voters }: Situation, memberId: string): boolean {
  const others = voters.filter((voter) => voter.memberId !== memberId);
  return others.length > 0 && healthy(others) >= majority(others.length);
}

/** Whether everyone who decides then is there, with one more voter. */
export function mayPromote({ voters }: Situation): boolean {
  return healthy(voters) + 1 >= majority(voters.length + 1);
}

/** Whether etcd still decides while the node is away. The only place that it can be in must be left for a moment. */
export function mayTakeAway(situation: Situation, nodeId: string): boolean {
  const { voters } = situation;
  const others = voters.filter((voter) => voter.nodeId !== nodeId);
  if (others.length === voters.length) return true;
  if (voters.length === 1) return dcsPlaces(situation).length === 1;
  return healthy(others) >= majority(voters.length);
}

/** A voter that is there, or whose data is on its node's volume, so that it comes back as what it was. */
export function canReturn(situation: Situation, voter: ObservedDcsMember): boolean {
  if (voter.isHealthy) return true;
  const node = findNode(situation, voter.nodeId);
  return node !== undefined && !voter.isStale && node.volume !== null && !node.wantsNewVolume;
}

/** The nodes that etcd may be on. */
function dcsPlaces({ spec, staying }: Situation): readonly PlannedNode[] {
  return staying.filter((node) => node.role === (spec.dcs.placement === "dedicated" ? "dcs" : "data"));
}

/** The nodes that etcd should be on: those it is on where possible, else the oldest, spread over the zones. */
export function dcsTargets(situation: Situation): readonly PlannedNode[] {
  const picked: PlannedNode[] = [];
  const places = [...dcsPlaces(situation)];
  while (picked.length < situation.spec.dcs.members && places.length > 0) {
    const inZone = (zone: string): number => picked.filter((node) => node.record.zone === zone).length;
    const rank = (node: PlannedNode): number[] => [
      awayRank(situation, node),
      membershipRank(situation, node),
      inZone(node.record.zone),
    ];
    const best = places.reduce((left, right) => (isBefore(rank(right), rank(left)) ? right : left));
    picked.push(best);
    places.splice(places.indexOf(best), 1);
  }
  return picked;
}

/** A DCS of one is elsewhere while its node is replaced; the leader's node is the last one to be. */
function awayRank({ spec }: Situation, node: PlannedNode): number {
  if (spec.dcs.members > 1 || !node.wantsNewInstance) return 0;
  return node.isLeader ? 1 : 2;
}

function membershipRank({ observed }: Situation, node: PlannedNode): number {
  const member = observed.dcs.members.find((one) => one.nodeId === node.id);
  if (member === undefined || member.isStale) return 2;
  return member.kind === "voter" ? 0 : 1;
}

function isBefore(left: readonly number[], right: readonly number[]): boolean {
  for (const [index, value] of left.entries()) {
    const other = right[index] ?? 0;
    if (value !== other) return value < other;
  }
  return false;
}
