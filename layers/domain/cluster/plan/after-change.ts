import { emptyNode, nodeRole } from "../layout.ts";
import { dcsAwaited, dcsRemoved, dcsSettled, learning, withMembers } from "./after-dcs-change.ts";
import type { Change } from "./change.ts";
import { nextId, outdated, runs, withNode, withServices } from "./model.ts";
import type { ObservedCluster, ObservedNode } from "./observed.ts";
import { isLowering } from "./rolling.ts";

/** The cluster after the change did what it should. */
export function afterChange(before: ObservedCluster, change: Change): ObservedCluster {
  return settled(changed(before, change));
}

function changed(state: ObservedCluster, change: Change): ObservedCluster {
  switch (change.kind) {
    case "add-node":
      return added(state, change);
    case "make-place":
      return placed(state, change.nodeId, change.volumeGiB);
    case "vacate-place":
      return vacated(state, change.nodeId, change.zone);
    case "start-instance":
      return started(state, change.nodeId, change.instanceType);
    case "await-node":
      return withNode(state, change.nodeId, (node) => ({
        ...node,
        instance: node.instance && { ...node.instance, state: "running", answers: true },
        configuration: node.configuration ?? "current",
      }));
    case "remove-instance":
      return withNode(state, change.nodeId, emptied);
    case "remove-node":
      return outdated({
        ...state,
        nodes: state.nodes.filter((node) => node.record.id !== change.nodeId),
      });
    case "discard-leftovers":
      return withNode(state, change.nodeId, (node) => ({
        ...node,
        leftovers: { volumeIds: [], networkInterfaceIds: [] },
      }));
    case "grow-volume":
      return withNode(state, change.nodeId, (node) => ({
        ...node,
        volume: node.volume && { ...node.volume, sizeGiB: change.sizeGiB, isFilled: true },
      }));
    case "set-services":
      return outdated(
        change.nodes.reduce((next, { nodeId, services }) => withServices(next, nodeId, services), state),
      );
    case "configure":
      return change.nodeIds.reduce(
        (next, nodeId) => withNode(next, nodeId, (node) => ({ ...node, configuration: "current" })),
        state,
      );
    case "await-member":
      return joined(state, change.nodeId);
    case "await-dcs":
      return dcsAwaited(state, change.nodeId);
    case "add-dcs-member":
      return learning(state, change.nodeId);
    case "promote-dcs-member":
      return withMembers(state, (members) =>
        members.map((one) => (one.memberId === change.memberId ? { ...one, kind: "voter" } : one)),
      );
    case "remove-dcs-member":
      return dcsRemoved(state, change.memberId, change.nodeId);
    case "move-leader":
      return led(state, change.candidate, [change.from, ...change.avoid]);
    case "apply-dynamic-configuration":
      return { ...state, dynamicConfiguration: "current" };
    case "restart-member":
      return restarted(state, change.nodeId, change.isLeader);
    case "apply-database":
      return databaseApplied(state, change);
    case "apply-security-rules":
      return { ...state, securityRules: "current" };
    case "apply-schedules":
      return state;
  }
}

function added(state: ObservedCluster, change: Change & { kind: "add-node" }): ObservedCluster {
  const node: ObservedNode = {
    record: emptyNode(change.nodeId, change),
    instance: null,
    volume: null,
    hasInterface: false,
    leftovers: { volumeIds: [], networkInterfaceIds: [] },
    configuration: null,
    member: null,
  };
  return { ...state, nodes: [...state.nodes, node], freshNodeId: nextId(change.nodeId) };
}

/** Ids of the model's own: nobody has them. */
function placed(state: ObservedCluster, nodeId: string, sizeGiB: number): ObservedCluster {
  const made = (kind: string): string => `${kind}-of-${nodeId}-${state.freshNodeId}`;
  const isNewAddress = !state.nodes.find((node) => node.record.id === nodeId)?.hasInterface;
  const next = withNode(state, nodeId, (node) => ({
    ...node,
    hasInterface: true,
    volume: node.volume ?? { volumeId: made("vol"), sizeGiB, isFilled: true },
    record: {
      ...node.record,
      volumeId: node.record.volumeId ?? made("vol"),
      networkInterfaceId: node.hasInterface ? node.record.networkInterfaceId : made("eni"),
      address: node.hasInterface ? node.record.address : made("address"),
    },
  }));
  const renumbered = { ...next, freshNodeId: nextId(next.freshNodeId) };
  return isNewAddress ? outdated(renumbered) : renumbered;
}

function vacated(state: ObservedCluster, nodeId: string, zone: string): ObservedCluster {
  const next = withNode(state, nodeId, (node) => {
    const isMoving = zone !== node.record.zone;
    const gone = node.volume === null ? [] : [node.volume.volumeId];
    const left = isMoving && node.hasInterface ? [node.record.networkInterfaceId ?? ""] : [];
    return {
      ...node,
      volume: null,
      member: null,
      hasInterface: node.hasInterface && !isMoving,
      leftovers: {
        volumeIds: [...node.leftovers.volumeIds, ...gone],
        networkInterfaceIds: [...node.leftovers.networkInterfaceIds, ...left],
      },
      record: {
        ...node.record,
        zone,
        volumeId: null,
        ...(isMoving ? { networkInterfaceId: null, address: null } : {}),
      },
    };
  });
  return outdated(next);
}

function started(state: ObservedCluster, nodeId: string, instanceType: string): ObservedCluster {
  const next = withNode(state, nodeId, (node) => {
    const instanceId = node.instance?.instanceId ?? `i-of-${nodeId}-${state.freshNodeId}`;
    return {
      ...node,
      instance: { instanceId, instanceType, state: "running", answers: true },
      configuration: node.instance === null ? "stale" : "current",
      record: { ...node.record, instanceId, state: "running" },
    };
  });
  return { ...next, freshNodeId: nextId(next.freshNodeId) };
}

function emptied(node: ObservedNode): ObservedNode {
  return {
    ...node,
    instance: null,
    configuration: null,
    member: node.member && { ...node.member, isHealthy: false, isSynchronous: false, pendingRestart: null },
    record: { ...node.record, instanceId: null },
  };
}

const fresh = {
  isHealthy: true,
  isSynchronous: false,
  isProgramStale: false,
  pendingRestart: null,
} as const;

function joined(state: ObservedCluster, nodeId: string | null): ObservedCluster {
  if (nodeId === null) return led(state, null, []);
  return withNode(state, nodeId, (node) => ({
    ...node,
    member: { ...fresh, ...node.member, isHealthy: true },
  }));
}

function led(state: ObservedCluster, candidate: string | null, avoid: readonly string[]): ObservedCluster {
  const able = state.nodes.filter(({ record, instance, volume }) => {
    return nodeRole(record) === "data" && instance?.answers && volume !== null && !avoid.includes(record.id);
  });
  const best = able.find((node) => node.member?.isHealthy) ?? able[0];
  const leader = candidate ?? best?.record.id ?? null;
  if (leader === null) return state;
  return withNode({ ...state, leader, database: state.database ?? { extensions: [] } }, leader, (node) => ({
    ...node,
    member: { ...fresh, ...node.member, isHealthy: true, isSynchronous: false },
  }));
}

function restarted(state: ObservedCluster, nodeId: string, isLeader: boolean): ObservedCluster {
  const leader = state.nodes.find((node) => node.record.id === state.leader);
  const ahead = isLeader ? [] : (leader?.member?.pendingRestart ?? []).filter(isLowering);
  return withNode(state, nodeId, (node) => {
    const kept = (node.member?.pendingRestart ?? []).filter((one) =>
      ahead.some((other) => other.name === one.name),
    );
    const pendingRestart = kept.length === 0 ? null : kept;
    return { ...node, member: { ...fresh, ...node.member, isProgramStale: false, pendingRestart } };
  });
}

function databaseApplied(
  state: ObservedCluster,
  change: Change & { kind: "apply-database" },
): ObservedCluster {
  const kept = (state.database?.extensions ?? []).filter((one) => !change.drop.includes(one.name));
  const created = change.create.map((name) => ({ name, version: "1", available: "1" }));
  const updated = kept.map((one) =>
    change.update.includes(one.name) ? { ...one, version: one.available ?? one.version } : one,
  );
  return { ...state, database: { extensions: [...updated, ...created] } };
}

/** What follows by itself: a leader on a machine that is away is none. */
function settled(before: ObservedCluster): ObservedCluster {
  const state = dcsSettled(before);
  if (runs(state, state.leader)) return state;
  return { ...state, leader: null, database: null };
}
