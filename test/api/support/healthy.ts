import type { Cluster } from "@pgherd/layers/domain";
import type { ArchiveState, Assessment, Observation } from "@pgherd/layers/domain/node";
import type { FakeNodes } from "./commands.ts";

/** Of a leader that archives. */
export const healthyArchive: ArchiveState = {
  at: "2026-01-01T00:25:00.000Z",
  archivedUntil: "2026-01-01T00:20:00.000Z",
  forks: [],
  lastArchivedWal: "00000001000000000000001F",
  failedCount: 0,
  lastFailedAt: null,
  readyCount: 0,
  oldestReadySeconds: null,
  walBytes: 0,
  timeline: 1,
  lsn: "0/9000000",
  nextXid: "800",
};
const freeBytes = 2 ** 34;

/** Every node of the cluster answers whatever it is asked, the first one as the leader. */
export function letAnswer(nodes: FakeNodes, cluster: Cluster): void {
  const members = cluster.nodes.map(({ id: nodeId }, index) => ({
    nodeId,
    role: index === 0 ? ("leader" as const) : index === 1 ? ("sync-standby" as const) : ("replica" as const),
    state: index === 0 ? "running" : "streaming",
    timeline: 1,
  }));
  const observation: Observation = {
    members: members.map((member) => ({ ...member, lagBytes: 0, pendingRestart: false })),
    dcs: { quorum: true, members: [] },
  };
  const [leader, candidate] = cluster.nodes;
  const assessment: Assessment = {
    leader: leader?.id ?? "",
    candidate: candidate?.id ?? "",
    timeline: 1,
    members: members.map((member) => ({
      ...member,
      replayLagBytes: member.role === "leader" ? null : 0,
      isSynchronous: member.role === "sync-standby",
      noFailover: false,
    })),
    synchronousMode: "on",
    paused: false,
    scheduled: false,
    oldestTransactionSeconds: 0,
    archiveQueueLength: 0,
    dcs: { quorum: true, leader: candidate?.id ?? "" },
  };
  for (const { instanceId } of cluster.nodes) {
    const id = instanceId ?? "";
    nodes.observations.set(id, observation);
    nodes.assessments.set(id, assessment);
    nodes.archives.set(id, healthyArchive);
    nodes.freeBytes.set(id, freeBytes);
    nodes.logs.set(id, () => ({ lines: [], isMore: false }));
  }
}
