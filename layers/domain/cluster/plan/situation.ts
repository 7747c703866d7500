import { type NodeRole, nodeCount, nodeRole, nodeRoles, nodeSize } from "../layout.ts";
import type { ClusterSpec } from "../spec.ts";
import type { ObservedCluster, ObservedDcsMember, ObservedNode } from "./observed.ts";
import type { ConvergeRequest, ReplaceDirective } from "./request.ts";

/** What the cluster should become. */
export interface Intent {
  readonly spec: ClusterSpec;
  readonly request: ConvergeRequest;
}

/** A node and what the intent has in mind for it. */
export interface PlannedNode extends ObservedNode {
  readonly id: string;
  readonly role: NodeRole;
  /** There is one too many of its role, and it is among the youngest. */
  readonly isLeaving: boolean;
  readonly isLeader: boolean;
  /** The node program answers, or PostgreSQL or etcd on it does its part. */
  readonly isAlive: boolean;
  /** A directive gives up the instance that is there: nobody waits for it. */
  readonly isGivenUp: boolean;
  readonly wantsZone: string | null;
  /** The volume is lost, or was asked to be given up. */
  readonly wantsNewVolume: boolean;
  /** The instance has to go: it was asked for, or it has another size, or its interface or volume is gone. */
  readonly wantsNewInstance: boolean;
}

/** What every rule looks at. */
export interface Situation {
  readonly spec: ClusterSpec;
  readonly request: ConvergeRequest;
  readonly observed: ObservedCluster;
  /** Oldest first. */
  readonly nodes: readonly PlannedNode[];
  readonly staying: readonly PlannedNode[];
  readonly leaving: readonly PlannedNode[];
  readonly leader: PlannedNode | null;
  readonly voters: readonly ObservedDcsMember[];
}

export function situationOf({ spec, request }: Intent, observed: ObservedCluster): Situation {
  const leaving = leavingIds(spec, observed);
  const nodes = observed.nodes
    .toSorted((left, right) => (left.record.id < right.record.id ? -1 : 1))
    .map((node) => planned(spec, request, observed, node, leaving.has(node.record.id)));
  return {
    spec,
    request,
    observed,
    nodes,
    staying: nodes.filter((node) => !node.isLeaving),
    leaving: nodes.filter((node) => node.isLeaving),
    leader: nodes.find((node) => node.isLeader) ?? null,
    voters: votersOf(observed),
  };
}

/** The oldest of each role stay, so that a connection string with the first nodes stays good. */
function leavingIds(spec: ClusterSpec, observed: ObservedCluster): Set<string> {
  const ids = nodeRoles.flatMap((role) =>
    observed.nodes
      .filter((node) => nodeRole(node.record) === role)
      .map((node) => node.record.id)
      .toSorted()
      .slice(nodeCount(spec, role)),
  );
  return new Set(ids);
}

function planned(
  spec: ClusterSpec,
  request: ConvergeRequest,
  observed: ObservedCluster,
  node: ObservedNode,
  isLeaving: boolean,
): PlannedNode {
  const { record, instance } = node;
  const role = nodeRole(record);
  const directive = !isLeaving && request.replace?.nodeId === record.id ? request.replace : null;
  const wantsZone = directive?.zone != null && directive.zone !== record.zone ? directive.zone : null;
  const isVolumeLost = record.volumeId !== null && node.volume === null;
  const wantsNewVolume = isVolumeLost || wantsZone !== null || isVolumeNamed(directive, record.volumeId);
  const isInstanceNamed = instance !== null && instance.instanceId === directive?.instanceId;
  const isWrongSize = instance?.instanceType !== nodeSize(spec, role).instanceType;
  return {
    ...node,
    id: record.id,
    role,
    isLeaving,
    isLeader: observed.leader === record.id,
    isAlive:
      instance?.answers === true ||
      node.member?.isHealthy === true ||
      observed.dcs.members.some((member) => member.nodeId === record.id && member.isHealthy),
    isGivenUp: isInstanceNamed || (directive !== null && wantsNewVolume),
    wantsZone,
    wantsNewVolume,
    wantsNewInstance:
      instance !== null && (isInstanceNamed || isWrongSize || wantsNewVolume || !node.hasInterface),
  };
}

function isVolumeNamed(directive: ReplaceDirective | null, volumeId: string | null): boolean {
  return directive !== null && directive.volumeId !== null && directive.volumeId === volumeId;
}

/** etcd's own list; while nobody can tell it, the nodes that should have a member. */
function votersOf({ dcs, nodes }: ObservedCluster): ObservedDcsMember[] {
  if (dcs.members.length > 0) return dcs.members.filter((member) => member.kind === "voter");
  return nodes
    .filter((node) => node.record.services.includes("etcd"))
    .map((node) => ({
      memberId: "",
      nodeId: node.record.id,
      kind: "voter",
      isStarted: true,
      isHealthy: false,
      isLeader: false,
      isStale: false,
    }));
}

export function findNode(situation: Situation, nodeId: string | null): PlannedNode | undefined {
  return situation.nodes.find((node) => node.id === nodeId);
}

/** The node's place in etcd, as a voter or as a learner. */
export function dcsMemberOf(situation: Situation, nodeId: string): ObservedDcsMember | undefined {
  return situation.observed.dcs.members.find((member) => member.nodeId === nodeId);
}
