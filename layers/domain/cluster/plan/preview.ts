import type { Cluster, ClusterNode } from "../cluster.ts";
import { nodeRole, nodeSize } from "../layout.ts";
import type { ClusterSpec } from "../spec.ts";
import type { Change } from "./change.ts";
import { changeText } from "./change-text.ts";
import { forecast } from "./forecast.ts";
import { nextId } from "./model.ts";
import type { ObservedCluster, ObservedNode } from "./observed.ts";
import type { Intent } from "./situation.ts";
import {
  hasSameClients,
  hasSameSchedules,
  isDynamicConfigurationSame,
  isForNoNode,
  restartParameters,
} from "./spec-change.ts";

/** What a converge would do, in words. */
export interface ConvergePreview {
  readonly changes: readonly string[];
  readonly interrupts: readonly string[];
  /** Nodes that are made or removed. */
  readonly nodesPerZone: Readonly<Record<string, number>>;
  /** Why it could not go to its end. */
  readonly blocked: string | null;
}

interface Known {
  readonly zones: readonly string[];
  readonly leader: string | null;
}

/** As if every node were well: what is not is for the converge itself to find. */
export function previewConverge(cluster: Cluster, intent: Intent, known: Known): ConvergePreview {
  const first: readonly Change[] = hasSameSchedules(cluster.spec, intent.spec)
    ? []
    : [{ kind: "apply-schedules" }];
  if (intent.request.isRecordOnly) {
    return { changes: first.map(changeText), interrupts: [], nodesPerZone: {}, blocked: null };
  }
  const start = assumed(cluster, intent, known);
  const { changes, blocked } = forecast(intent, start);
  return {
    changes: [...first, ...changes].map(changeText),
    interrupts: interruptsOf(cluster, intent.spec, changes, start.leader),
    nodesPerZone: zonesOf(cluster, changes),
    blocked,
  };
}

/** A cluster that is what its spec says; what the new spec says is what is stale about it. */
function assumed(cluster: Cluster, { spec }: Intent, { zones, leader }: Known): ObservedCluster {
  const { spec: before, nodes } = cluster;
  const isStale = !isForNoNode(before, spec);
  const pending = restartParameters(before, spec);
  const observed = nodes.map((record): ObservedNode => {
    const { instanceType, volumeGiB } = nodeSize(before, nodeRole(record));
    const { instanceId, volumeId } = record;
    return {
      record,
      instance: instanceId === null ? null : { instanceId, instanceType, state: "running", answers: true },
      volume: volumeId === null ? null : { volumeId, sizeGiB: volumeGiB, isFilled: true },
      hasInterface: record.networkInterfaceId !== null,
      leftovers: { volumeIds: [], networkInterfaceIds: [] },
      configuration: isStale ? "stale" : "current",
      member: nodeRole(record) === "data" ? memberOf(before, spec, pending) : null,
    };
  });
  const data = nodes.filter((node) => nodeRole(node) === "data");
  return {
    zones,
    nodes: observed,
    dcs: { hasQuorum: true, members: dcsMembers(nodes) },
    leader: data.find((node) => node.id === leader)?.id ?? data[0]?.id ?? null,
    securityRules: hasSameClients(before, spec) ? "current" : "stale",
    dynamicConfiguration: isDynamicConfigurationSame(before, spec) ? "current" : "stale",
    database: { extensions: before.extensions.map((name) => ({ name, version: "", available: "" })) },
    freshNodeId: nextId(
      nodes
        .map((node) => node.id)
        .toSorted()
        .at(-1) ?? "",
    ),
  };
}

function memberOf(before: ClusterSpec, after: ClusterSpec, pending: ReturnType<typeof restartParameters>) {
  return {
    isHealthy: true,
    isSynchronous: false,
    isProgramStale: before.failover.wrapper !== after.failover.wrapper,
    pendingRestart: pending.length === 0 ? null : pending,
  };
}

const dcsMembers = (nodes: readonly ClusterNode[]) =>
  nodes
    .filter((node) => node.services.includes("etcd"))
    .map((node) => ({
      memberId: node.id,
      nodeId: node.id,
      kind: "voter" as const,
      isStarted: true,
      isHealthy: true,
      isLeader: false,
      isStale: false,
    }));

function zonesOf(cluster: Cluster, changes: readonly Change[]): Record<string, number> {
  const counts: Record<string, number> = {};
  const count = (zone: string | undefined): void => {
    if (zone !== undefined) counts[zone] = (counts[zone] ?? 0) + 1;
  };
  for (const change of changes) {
    if (change.kind === "add-node") count(change.zone);
    if (change.kind === "remove-node") count(cluster.nodes.find((node) => node.id === change.nodeId)?.zone);
  }
  return counts;
}

/** What clients notice. */
function interruptsOf(
  cluster: Cluster,
  spec: ClusterSpec,
  changes: readonly Change[],
  leader: string | null,
): string[] {
  const said = new Set<string>();
  const runs = (nodeId: string, service: "haproxy" | "postgres"): boolean =>
    cluster.nodes.some((node) => node.id === nodeId && node.services.includes(service));
  const isAlone = !changes.some((change) => change.kind === "move-leader");
  for (const change of changes) {
    if (change.kind === "move-leader") {
      said.add(
        "While the leader moves, clients of port 6432 wait for a fraction of a second, and connections to port 5000 are closed and can be opened again at once.",
      );
    }
    if (change.kind === "restart-member" && change.isLeader) {
      said.add(
        "While the leader restarts in its place, clients of port 6432 wait and others lose their connection.",
      );
    }
    if (change.kind === "remove-instance" && isAlone && change.nodeId === leader) {
      said.add(
        "The cluster has one member: nothing is answered from the end of its machine until the next one runs.",
      );
    }
    if (change.kind !== "remove-instance" && change.kind !== "remove-node") continue;
    if (runs(change.nodeId, "haproxy")) {
      said.add(`Connections through node ${change.nodeId} are closed, pooled ones between transactions.`);
    }
    if (spec.durability === "strict" && spec.members === 2 && runs(change.nodeId, "postgres")) {
      said.add("With two members and durability strict, writes wait while one of them is away.");
    }
  }
  if (changes.some((change) => change.kind === "set-services")) {
    said.add(
      "Connections through poolers and proxies that leave a node are closed, pooled ones between transactions.",
    );
  }
  return [...said];
}
