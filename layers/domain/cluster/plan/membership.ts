import { emptyNode, type NodeRole, nodeCount, nodeRoles, roleServices } from "../layout.ts";
import type { Change, Plan } from "./change.ts";
import { dcsTargets, mayPromote, mayRemoveVoter } from "./quorum.ts";
import { dcsMemberOf, findNode, type PlannedNode, type Situation } from "./situation.ts";

const change = (one: Change): Plan => ({ change: one });

/** Members that nobody can be any more only stand in the way of a majority. */
export function removeStaleDcsMembers(situation: Situation): Plan {
  const { members } = situation.observed.dcs;
  const stale = members.find((member) => {
    const isNobodys = findNode(situation, member.nodeId) === undefined;
    return isNobodys || member.isStale;
  });
  if (stale === undefined) return null;
  return removal(situation, stale);
}

function removal(
  situation: Situation,
  member: { memberId: string; nodeId: string | null; kind: "voter" | "learner" },
): Plan {
  if (member.kind === "voter" && !mayRemoveVoter(situation, member.memberId)) {
    return {
      blocked: `etcd would lose its majority without member ${member.memberId}: bring its other members back first.`,
    };
  }
  const nodeId = findNode(situation, member.nodeId)?.id ?? null;
  return change({ kind: "remove-dcs-member", nodeId, memberId: member.memberId });
}

/** A new node goes to the zone with the fewest of its kind. */
export function addNodes(situation: Situation): Plan {
  for (const role of nodeRoles) {
    const present = situation.nodes.filter((node) => node.role === role);
    if (present.length >= nodeCount(situation.spec, role)) continue;
    const nodeId = situation.observed.freshNodeId;
    const zone = emptiestZone(situation.observed.zones, present);
    const { services, shard } = emptyNode(nodeId, { zone, services: roleServices(situation.spec, role) });
    return change({ kind: "add-node", nodeId, zone, shard, services });
  }
  return null;
}

function emptiestZone(zones: readonly string[], present: readonly PlannedNode[]): string {
  const count = (zone: string): number => present.filter((node) => node.record.zone === zone).length;
  const [first = "", ...others] = zones;
  return others.reduce((best, zone) => (count(zone) < count(best) ? zone : best), first);
}

/** One change at a time: a learner first, then a voter; one more voter than wanted before one is taken away. */
export function settleDcs(situation: Situation): Plan {
  const targets = dcsTargets(situation);
  const isTarget = (nodeId: string | null): boolean => targets.some((node) => node.id === nodeId);
  const learner = situation.observed.dcs.members.find((member) => member.kind === "learner");
  if (learner !== undefined) {
    const { nodeId, memberId } = learner;
    if (nodeId === null || !isTarget(nodeId)) return removal(situation, learner);
    if (!learner.isStarted || !learner.isHealthy) return change({ kind: "add-dcs-member", nodeId });
    if (!mayPromote(situation)) {
      return { blocked: "etcd's members do not all answer: a new one would cost it the majority." };
    }
    return change({ kind: "promote-dcs-member", nodeId, memberId });
  }
  const missing = targets.find(
    (node) => dcsMemberOf(situation, node.id) === undefined && !node.wantsNewVolume,
  );
  // Who does not answer goes first: that makes the majority safer, not weaker.
  const surplus = situation.voters
    .filter((voter) => !isTarget(voter.nodeId))
    .toSorted((left, right) => Number(left.isHealthy) - Number(right.isHealthy))
    .at(0);
  const isFull = situation.voters.length > situation.spec.dcs.members;
  if (surplus !== undefined && (isFull || missing === undefined)) return removal(situation, surplus);
  return missing === undefined ? null : change({ kind: "add-dcs-member", nodeId: missing.id });
}

/** Which proxies run where: first what is to come, then what is to go, a node at a time. */
export function settleServices(situation: Situation): Plan {
  const wanted = situation.staying
    .filter((node) => node.role !== "dcs")
    .map((node) => ({ node, services: servicesOf(situation, node, node.role) }))
    .filter(({ node, services }) => services.join() !== node.record.services.join());
  const more = wanted.filter(({ node, services }) => services.length >= node.record.services.length);
  const next = more.length > 0 ? more : wanted.slice(0, 1);
  if (next.length === 0) return null;
  return change({
    kind: "set-services",
    nodes: next.map(({ node, services }) => ({ nodeId: node.id, services })),
  });
}

function servicesOf({ spec }: Situation, node: PlannedNode, role: NodeRole) {
  const [first, ...others] = roleServices(spec, role);
  const hasEtcd = node.record.services.includes("etcd");
  if (first === undefined) return hasEtcd ? (["etcd"] as const) : [];
  return hasEtcd ? [first, "etcd" as const, ...others] : [first, ...others];
}

/** The youngest first. Who leads or votes has given that up before. */
export function removeNodes(situation: Situation): Plan {
  const node = situation.leaving.at(-1);
  if (node === undefined) return null;
  if (dcsMemberOf(situation, node.id) !== undefined || node.isLeader) {
    return { blocked: `${node.id} still leads or votes: it cannot be removed.` };
  }
  return change({ kind: "remove-node", nodeId: node.id });
}
