import { withEtcd } from "../layout.ts";
import { nextId, outdated, runs, withNode } from "./model.ts";
import type { ObservedCluster, ObservedDcsMember } from "./observed.ts";
import { majority } from "./quorum.ts";

export function withMembers(
  state: ObservedCluster,
  change: (members: readonly ObservedDcsMember[]) => readonly ObservedDcsMember[],
): ObservedCluster {
  return { ...state, dcs: { ...state.dcs, members: change(state.dcs.members) } };
}

export function learning(state: ObservedCluster, nodeId: string): ObservedCluster {
  const next = withNode(state, nodeId, (node) => ({
    ...node,
    record: { ...node.record, services: withEtcd(node.record.services) },
  }));
  const learner: ObservedDcsMember = {
    memberId: `member-of-${nodeId}-${state.freshNodeId}`,
    nodeId,
    kind: "learner",
    isStarted: true,
    isHealthy: true,
    isLeader: false,
    isStale: false,
  };
  const others = next.dcs.members.filter((member) => member.nodeId !== nodeId);
  const renumbered = { ...next, freshNodeId: nextId(next.freshNodeId) };
  return outdated(withMembers(renumbered, () => [...others, learner]));
}

export function dcsRemoved(state: ObservedCluster, memberId: string, nodeId: string | null): ObservedCluster {
  const next = withMembers(state, (members) => members.filter((one) => one.memberId !== memberId));
  if (nodeId === null) return next;
  return outdated(
    withNode(next, nodeId, (node) => ({
      ...node,
      record: { ...node.record, services: node.record.services.filter((service) => service !== "etcd") },
    })),
  );
}

/** Members come back on nodes that run; one node's, or as many as can. */
export function dcsAwaited(state: ObservedCluster, nodeId: string | null): ObservedCluster {
  const answers = (id: string | null): boolean =>
    state.nodes.some((node) => node.record.id === id && node.instance?.answers === true);
  return withMembers(state, (members) =>
    members.map((one) => {
      const isMeant = nodeId === null ? answers(one.nodeId) && !one.isStale : one.nodeId === nodeId;
      return isMeant ? { ...one, isHealthy: true } : one;
    }),
  );
}

/** etcd runs where its node does and is configured; a majority follows from that. */
export function dcsSettled(state: ObservedCluster): ObservedCluster {
  const members = state.dcs.members.map((one) => {
    if (!runs(state, one.nodeId)) return { ...one, isHealthy: false };
    const node = state.nodes.find((other) => other.record.id === one.nodeId);
    const isBack = node?.configuration === "current" && one.isStarted && !one.isStale;
    return isBack ? { ...one, isHealthy: true } : one;
  });
  const voters = members.filter((one) => one.kind === "voter");
  const hasQuorum = voters.filter((one) => one.isHealthy).length >= majority(voters.length);
  return { ...state, dcs: { members, hasQuorum } };
}
