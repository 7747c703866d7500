import {
  type Cluster,
  completeSpec,
  newCluster,
  type ToldCluster,
  unknownHealth,
} from "../../layers/domain/index.ts";

/** A cluster that has everything to tell Prometheus; at `2026-01-08T02:00:00Z`. */
export function toldCluster(change: Partial<Cluster> = {}): ToldCluster {
  const at = "2026-01-01T02:00:00.000Z";
  const spec = completeSpec({ name: "orders" }, { instanceType: "t4g.medium", deletionProtection: false });
  const made = newCluster({
    id: "clu_1",
    spec,
    statusReason: "",
    activeOperationId: null,
    createdAt: at,
    nodes: [],
  });
  const operationId = "opn_1";
  const recovered = { at, restoreSeconds: 42.5, backupId: "bkp_1" };
  return {
    cluster: {
      ...made,
      status: "degraded",
      lastDrill: { ...recovered, ok: false, operationId, message: "A table is not there." },
      measuredRecovery: { ...recovered, sizeBytes: null },
      lastVerification: { at, ok: true, operationId, backups: 1, walSegments: 1, message: null },
      ...change,
    },
    record: {
      ...unknownHealth,
      findings: ["drill-failed", "certificate-expires nod_1", "paused 2026-01-01T00:00:00.000Z"],
      archivedUntil: "2026-01-08T01:59:30.500Z",
      certificatesUntil: "2026-01-10T00:00:00.000Z",
    },
    metrics: {
      observedAt: "2026-01-08T02:00:00.250Z",
      hasLeader: true,
      synchronousStandbys: 1,
      synchronousStandbysWanted: 1,
      replicationLagBytes: 0,
      walArchiveAgeSeconds: 12.5,
      backupAgeSeconds: 3600,
      diskUsedShare: 0.1,
      connectionsUsedShare: 0.1,
      dcsUsedShare: 0.1,
      certificateSecondsLeft: 100,
      nodes: [],
    },
  };
}
