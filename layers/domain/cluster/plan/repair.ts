import { nodeSize } from "../layout.ts";
import type { Change, Plan } from "./change.ts";
import { canReturn, majority, mayRemoveVoter, mayTakeAway } from "./quorum.ts";
import { dcsMemberOf, findNode, type PlannedNode, type Situation } from "./situation.ts";

const change = (one: Change): Plan => ({ change: one });

/**
 * Without a majority of etcd only what brings its own members back is safe. Where too many have lost their data, a
 * majority could only be made of newcomers, and who would then be right is not for a program to say.
 */
export function restoreQuorum(situation: Situation): Plan {
  const { observed, voters } = situation;
  if (observed.dcs.hasQuorum || voters.length === 0) return null;
  const returning = voters.filter((voter) => canReturn(situation, voter));
  if (situation.nodes.every((node) => isAlone(situation, node) && node.volume === null)) {
    return { blocked: "No node has the cluster's data any more: restore a backup." };
  }
  if (returning.length < majority(voters.length)) {
    return {
      blocked: `etcd has lost its majority for good: of ${voters.length} members ${returning.length} ${returning.length === 1 ? "has" : "have"} data. POST …/recover with acknowledgeDataLoss rebuilds it from a survivor that you name.`,
    };
  }
  const nodes = returning
    .filter((voter) => !voter.isHealthy)
    .flatMap((voter) => findNode(situation, voter.nodeId) ?? []);
  for (const node of nodes) {
    const step = node.wantsNewInstance && !node.isAlive ? takeAway(node) : fill(situation, node);
    if (step !== null) return step;
  }
  for (const node of nodes) {
    const step = awaitAnswer(node);
    if (step !== null) return step;
  }
  const stale = nodes.filter((node) => node.configuration === "stale").map((node) => node.id);
  if (stale.length > 0) return change({ kind: "configure", nodeIds: stale });
  return change({ kind: "await-dcs", nodeId: null });
}

/** What is there already gets an instance on what it has. */
export function fillPlaces(situation: Situation): Plan {
  for (const node of needed(situation)) {
    if (node.wantsNewVolume && !isAlone(situation, node)) continue;
    const step = node.wantsNewInstance ? null : fill(situation, node);
    if (step !== null) return step;
  }
  return null;
}

/** Where nobody leads, the data that was written last may be on a node that is about to leave. */
function needed({ staying, leaving, leader }: Situation): readonly PlannedNode[] {
  if (leader !== null) return staying;
  return [...staying, ...leaving.filter((node) => node.role === "data" && node.volume !== null)];
}

function fill({ spec }: Situation, node: PlannedNode): Plan {
  const { instanceType, volumeGiB } = nodeSize(spec, node.role);
  const { record, instance } = node;
  if (node.wantsNewVolume) {
    return { blocked: `The data of ${node.id} is gone, and no other node has it: restore a backup.` };
  }
  if (instance !== null && instance.state !== "stopped" && instance.state !== "stopping") return null;
  if (record.volumeId === null || record.networkInterfaceId === null || !node.hasInterface) {
    return change({ kind: "make-place", nodeId: node.id, volumeGiB });
  }
  return change({ kind: "start-instance", nodeId: node.id, instanceType });
}

/** A node that should be replaced and does nothing any more costs nothing to replace: nobody is waited for. */
export function replaceDead(situation: Situation): Plan {
  for (const node of situation.staying) {
    if (!(node.wantsNewInstance || node.wantsNewVolume) || !isIdle(situation, node)) continue;
    const step = giveUp(situation, node);
    if (step !== null) return step;
  }
  return null;
}

function isIdle(situation: Situation, node: PlannedNode): boolean {
  if (!node.isAlive) return true;
  return node.isGivenUp && situation.leader === null && mayTakeAway(situation, node.id);
}

/** The next step of taking away a node's instance, and its volume where that was asked for. */
export function giveUp(situation: Situation, node: PlannedNode): Plan {
  if (!node.wantsNewVolume) return takeAway(node);
  if (isAlone(situation, node)) {
    return {
      blocked: `${node.id} has the only copy of the data: add a member before its volume is replaced.`,
    };
  }
  // A clone needs a leader; the rule that waits for one comes next.
  if (node.role === "data" && situation.leader === null) return null;
  const member = dcsMemberOf(situation, node.id);
  if (member !== undefined) {
    if (member.kind === "voter" && !mayRemoveVoter(situation, member.memberId)) {
      return {
        blocked: `etcd would lose its majority without ${node.id}: bring its other members back first.`,
      };
    }
    return change({ kind: "remove-dcs-member", nodeId: node.id, memberId: member.memberId });
  }
  if (node.instance !== null) return takeAway(node);
  return change({ kind: "vacate-place", nodeId: node.id, zone: node.wantsZone ?? node.record.zone });
}

function takeAway(node: PlannedNode): Plan {
  if (node.instance === null) return null;
  return change({ kind: "remove-instance", nodeId: node.id, instanceId: node.instance.instanceId });
}

/** No other PostgreSQL node has a volume to clone from. */
function isAlone({ nodes }: Situation, node: PlannedNode): boolean {
  if (node.role !== "data") return false;
  return !nodes.some(
    (other) =>
      other.id !== node.id && other.role === "data" && other.volume !== null && !other.wantsNewVolume,
  );
}

export function awaitSilent(situation: Situation): Plan {
  for (const node of needed(situation)) {
    const step = node.isGivenUp ? null : awaitAnswer(node);
    if (step !== null) return step;
  }
  return null;
}

function awaitAnswer(node: PlannedNode): Plan {
  if (node.instance === null || node.instance.answers) return null;
  return change({ kind: "await-node", nodeId: node.id });
}

/** Every node that answers is told what it should be, the old and the new ones at once. */
export function configureStale(situation: Situation): Plan {
  const stale = needed(situation)
    .filter((node) => node.configuration === "stale")
    .map((node) => node.id);
  return stale.length === 0 ? null : change({ kind: "configure", nodeIds: stale });
}

/** Everybody who should be there is, before anybody is taken away; who is replaced anyway need not recover first. */
export function awaitMembers(situation: Situation): Plan {
  if (situation.leader === null) return change({ kind: "await-member", nodeId: null });
  for (const node of situation.staying) {
    if (node.role !== "data" || node.member?.isHealthy || node.wantsNewInstance) continue;
    return change({ kind: "await-member", nodeId: node.id });
  }
  for (const voter of situation.voters) {
    const node = findNode(situation, voter.nodeId);
    if (voter.isHealthy || node === undefined || node.isLeaving || node.wantsNewInstance) continue;
    return change({ kind: "await-dcs", nodeId: node.id });
  }
  return null;
}
