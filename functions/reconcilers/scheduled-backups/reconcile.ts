import {
  backupStatuses,
  backupToTry,
  type Cluster,
  isFree,
  type ProofKind,
  proofToBegin,
  throwAwayName,
} from "@pgherd/layers/domain";
import type { Store } from "@pgherd/layers/ports";
import { errorFields } from "@pgherd/layers/runtime";
import { allClusters } from "../../all-clusters.ts";
import { type ProofStartWorld, startScheduledProof } from "../../schedules/start-backup/proofs.ts";
import {
  type BackupStartWorld,
  principalOf,
  startScheduledBackup,
  timeKey,
} from "../../schedules/start-backup/start.ts";
import { lastTry } from "../last-try.ts";
import { startBySystem } from "../start-operation.ts";

export interface ScheduledBackupsWorld extends BackupStartWorld, ProofStartWorld {
  readonly store: Pick<
    Store,
    | "getCluster"
    | "allBackups"
    | "startBackupOperation"
    | "createCluster"
    | "findClusterByName"
    | "readIdempotencyRecord"
    | "startOperation"
    | "listClusters"
    | "listOperations"
    | "readHealth"
  >;
}

/** What made it fail is rarely over sooner. */
const pauseAfterFailureMs = 10 * 60 * 1000;

/** Looks at every cluster. A backup goes on beside other operations, but not beside another backup. */
export async function beginMissedBackups(world: ScheduledBackupsWorld): Promise<void> {
  for (const cluster of await allClusters(world.store)) {
    try {
      if (cluster.schedules === null) await schedule(world, cluster);
      else {
        await beginMissed(world, cluster);
        await beginMissedProofs(world, cluster);
      }
    } catch (error) {
      world.log("error", "the backups of a cluster could not be looked after", {
        clusterId: cluster.id,
        ...errorFields(error),
      });
    }
  }
}

async function beginMissed(world: ScheduledBackupsWorld, cluster: Cluster): Promise<void> {
  const { backupOperationId, id, schedules, status } = cluster;
  if (schedules === null || backupOperationId !== null || !backupStatuses.includes(status)) return;
  const [backups, { lastBackups }] = await Promise.all([
    world.store.allBackups(id),
    world.store.readHealth(id),
  ]);
  const wanted = backupToTry(schedules, { backups, lastBackups }, world.now().toISOString());
  if (wanted === null) return;
  world.log("warn", "a backup that was due is begun now", {
    clusterId: id,
    kind: wanted.kind,
    scheduledAt: wanted.at,
    attempt: wanted.attempt,
  });
  await startScheduledBackup(world, id, wanted);
}

async function beginMissedProofs(world: ScheduledBackupsWorld, cluster: Cluster): Promise<void> {
  const { backupOperationId, id, lastDrill, lastVerification, schedules, status } = cluster;
  if (schedules === null || !backupStatuses.includes(status)) return;
  const last: Readonly<Record<ProofKind, string | null>> = {
    drill: lastDrill?.at ?? null,
    verify: lastVerification?.at ?? null,
  };
  for (const kind of ["drill", "verify"] as const) {
    const at = proofToBegin(kind, schedules, last[kind], world.now().toISOString());
    const isBusy =
      kind === "verify"
        ? backupOperationId !== null
        : at !== null && (await world.store.findClusterByName(throwAwayName(id))) !== null;
    if (at === null || isBusy || (await hasBegun(world, id, kind, at))) continue;
    if (!(await startScheduledProof(world, id, { kind, at }))) continue;
    world.log("warn", "a proof of backups that was due is begun now", {
      clusterId: id,
      kind,
      scheduledAt: at,
    });
  }
}

/** Somebody may have cancelled it. */
async function hasBegun(
  { store }: ScheduledBackupsWorld,
  clusterId: string,
  kind: ProofKind,
  at: string,
): Promise<boolean> {
  return (await store.readIdempotencyRecord(principalOf(clusterId, kind), timeKey(at))) !== null;
}

/** A cluster of before there were schedules gets those of its spec. */
async function schedule(world: ScheduledBackupsWorld, cluster: Cluster): Promise<void> {
  if (!isFree(cluster)) return;
  const last = await lastTry(world, cluster, "converge-cluster");
  if (last !== null && last.state !== "succeeded" && last.ageMs < pauseAfterFailureMs) return;
  await startBySystem(world, cluster, {
    kind: "converge-cluster",
    request: { isRecordOnly: true },
    detail: `Backups of cluster "${cluster.name}" are scheduled as its spec says.`,
  });
}
