import type { Backup } from "../domain/backup/backup.ts";
import type { DeletedCluster } from "../domain/backup/deleted.ts";
import type { BackupDrill } from "../domain/backup/drill.ts";
import type { RestorePoint } from "../domain/backup/restore-point.ts";
import type { Cluster, ClusterNode, ClusterStatus, Drift } from "../domain/cluster/cluster.ts";
import type { ClusterMetrics } from "../domain/cluster/health/metrics.ts";
import type { HealthRecord } from "../domain/cluster/health-record.ts";
import type { ClusterSpec } from "../domain/cluster/spec.ts";
import type { Operation, OperationKind, OperationStep } from "../domain/operation/operation.ts";

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

export interface AuditEntry {
  readonly id: string;
  readonly clusterId: string;
  readonly at: string;
  readonly action: string;
  readonly principal: string;
  readonly role: string;
  readonly sourceAddress: string;
  readonly requestId: string;
  readonly operationId: string | null;
  readonly detail: string;
}

/** A remembered answer to a mutation. `requestHash` tells the same request from another with the same key. */
export interface IdempotencyRecord {
  readonly principal: string;
  readonly key: string;
  readonly requestHash: string;
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Epoch seconds; DynamoDB removes it some time later. */
  readonly expiresAt: number;
}

/** What is written together when an operation starts. All of it or nothing. */
export interface OperationStart {
  readonly operation: Operation;
  readonly audit: AuditEntry;
  readonly idempotency: IdempotencyRecord | null;
}

/** What an operation may say of the cluster that it holds, beside spec, status and nodes. */
export type ClusterRecordChange = Partial<
  Pick<Cluster, "paused" | "logins" | "retiring" | "schedules" | "kept" | "branches">
>;

/** What restoring and reading a cluster's backups has shown. */
export type ProofChange = Partial<Pick<Cluster, "lastDrill" | "measuredRecovery" | "lastVerification">>;

/** How a cluster looks once an operation has claimed it. A spec needs the generation that it was made from. */
export type OperationClaim = {
  readonly status: ClusterStatus;
  readonly statusReason: string;
  readonly nodes?: readonly ClusterNode[];
} & (
  | { readonly expectedGeneration?: number; readonly spec?: undefined }
  | { readonly expectedGeneration: number; readonly spec: ClusterSpec }
);

/** Something that nobody owned when it was seen first. */
export interface OrphanNote {
  /** Kind and id. */
  readonly name: string;
  readonly firstSeenAt: string;
}

/** A judgement of a cluster's health. */
export interface HealthUpdate {
  readonly status: "available" | "degraded";
  readonly statusReason: string;
  readonly drift: readonly Drift[];
  readonly record: HealthRecord;
  readonly events: readonly AuditEntry[];
}

/** What the last look at a cluster has left. */
export interface LastLook {
  readonly record: HealthRecord;
  /** As {@link Store.readMetrics} has them. */
  readonly metrics: ClusterMetrics | null;
}

/**
 * The state of an environment. Every write that matters is conditional.
 * Problems thrown: `name-taken`, `operation-in-progress` (its detail names the operation), `not-found`,
 * `precondition-failed`, `operation-ended`.
 * A second writer of the same idempotency record gets {@link IdempotencyConflict}.
 */
export interface Store {
  /**
   * Claims the name, writes cluster, operation, audit entry and idempotency record in one transaction.
   * @param from a deleted cluster whose backups are read: only as long as nobody has begun to remove them
   * @throws {Problem} `backups-removed` where somebody has
   */
  createCluster(cluster: Cluster, start: OperationStart, from?: { deletedClusterId: string }): Promise<void>;
  /**
   * Claims the cluster for an operation (sets `activeOperationId` and `status`) in one transaction, and with it writes
   * a new spec (the generation grows by one) and new or changed nodes.
   */
  startOperation(start: OperationStart, cluster: OperationClaim): Promise<void>;
  /**
   * Gives the cluster another spec while the operation holds it: what the operation was asked for cannot be. The
   * generation grows by one; the same spec again changes nothing.
   * @throws {Problem} `operation-in-progress` where the cluster is not this operation's.
   */
  changeSpec(clusterId: string, operationId: string, spec: ClusterSpec): Promise<void>;
  readIdempotencyRecord(principal: string, key: string): Promise<IdempotencyRecord | null>;
  /** Remembers an answer to a mutation that had nothing to write. */
  putIdempotencyRecord(record: IdempotencyRecord): Promise<void>;

  getCluster(clusterId: string): Promise<Cluster | null>;
  /** The id of the cluster that holds the name. */
  findClusterByName(name: string): Promise<string | null>;
  listClusters(page: { limit: number; cursor: string | null }): Promise<Page<Cluster>>;
  /**
   * Releases the name, the nodes and the cluster item, and with it writes what is kept of it and says so; audit entries
   * and operations stay. Already gone is success, and then nothing is written.
   */
  removeCluster(
    clusterId: string,
    kept?: { deleted: DeletedCluster; event: AuditEntry | null },
  ): Promise<void>;

  getDeletedCluster(clusterId: string): Promise<DeletedCluster | null>;
  /** Those of which something is kept, or still to be removed. */
  listDeletedClusters(): Promise<readonly DeletedCluster[]>;
  /** From now on nobody begins to read what is kept. False where nothing is on record any more. */
  beginRemoval(clusterId: string): Promise<boolean>;
  /** Somebody reads it still: takes {@link beginRemoval} back. */
  putOffRemoval(clusterId: string): Promise<void>;
  /** Removes every backup and restore point of the cluster from the record. */
  removeBackupRecords(clusterId: string): Promise<void>;
  /** Nothing is kept of it any more, and why. Already forgotten is success, and then nothing is written. */
  forgetDeletedCluster(clusterId: string, event: AuditEntry | null): Promise<void>;
  /** Frees the name for others while the cluster item stays (a failed create). */
  releaseName(clusterId: string): Promise<void>;
  /** Writes these fields, as long as the operation holds the cluster. @throws {Problem} `operation-in-progress` */
  recordOnCluster(clusterId: string, operationId: string, change: ClusterRecordChange): Promise<void>;
  /** Says what was learnt of the cluster's backups, whoever holds it. One that is gone is success. */
  recordProof(clusterId: string, change: ProofChange): Promise<void>;
  /**
   * Takes a cluster from an operation that has ended without giving it back, and says that it is `failed`. False where
   * the cluster is not that operation's.
   */
  abandonCluster(clusterId: string, operationId: string, statusReason: string): Promise<boolean>;
  updateClusterStatus(clusterId: string, status: ClusterStatus, statusReason: string): Promise<void>;

  /** What the last {@link updateHealth} remembered. */
  readHealth(clusterId: string): Promise<HealthRecord>;
  /**
   * Says how the cluster is, with its events, in one transaction: only where no operation holds it and it is
   * `available` or `degraded`. False where that is not so; then nothing is written.
   */
  updateHealth(clusterId: string, update: HealthUpdate): Promise<boolean>;

  /** Keeps the newest only; they are forgotten a day after the last, or with the cluster. */
  putMetrics(clusterId: string, metrics: ClusterMetrics): Promise<void>;
  /** Null where nobody has looked at the cluster for a day. */
  readMetrics(clusterId: string): Promise<ClusterMetrics | null>;
  /** Of each of these clusters, which are all different. It can lag by moments: it is for many at once. */
  readLastLooks(clusterIds: readonly string[]): Promise<ReadonlyMap<string, LastLook>>;

  /** Writes a node whole; the same node again replaces it. */
  putNode(clusterId: string, node: ClusterNode): Promise<void>;
  removeNode(clusterId: string, nodeId: string): Promise<void>;
  /** The cluster's CA certificate (PEM). It is public; the key is in Parameter Store. Goes with the cluster. */
  putAuthorityCertificate(clusterId: string, pem: string): Promise<void>;
  getAuthorityCertificate(clusterId: string): Promise<string | null>;
  removeAuthorityCertificate(clusterId: string): Promise<void>;

  getOperation(operationId: string): Promise<Operation | null>;
  listOperations(page: {
    limit: number;
    cursor: string | null;
    clusterId: string | null;
  }): Promise<Page<Operation>>;
  /**
   * `pending` → `running`, with the steps to come where it has none yet; an operation that already runs stays as it
   * is. Ended already: `operation-ended`.
   */
  markOperationRunning(operationId: string, stepNames?: readonly string[]): Promise<void>;
  /** Replaces the step of that name; other steps may be written at the same time. */
  updateStep(operationId: string, step: OperationStep): Promise<void>;
  /** The same for several in one write; of two states of one step the last counts. New steps go to the end. */
  updateSteps(operationId: string, steps: readonly OperationStep[]): Promise<void>;
  /** What came of an operation, written by the act that knows it; the last one counts. */
  putOperationResult(operationId: string, result: NonNullable<Operation["result"]>): Promise<void>;
  /**
   * Ends the operation, frees the cluster from it and says the cluster's status, in one transaction. Ended already:
   * no change. A backup that the operation was still at is `failed` or `cancelled` like it, and a restore point that it
   * did not make is gone or `uncertain`; an operation about them says nothing of the cluster's status.
   */
  endOperation(
    operationId: string,
    end: {
      state: "succeeded" | "failed" | "cancelled";
      error?: { code: string; message: string };
      endedAt: string;
      cluster?: { status: ClusterStatus; statusReason: string };
    },
  ): Promise<void>;
  /** Sets the flag that steps read, and returns the operation as it is then. */
  requestCancel(
    operationId: string,
    audit: AuditEntry,
    idempotency: IdempotencyRecord | null,
  ): Promise<Operation>;
  /** Operations that have not ended, oldest first, for the reconcilers. */
  listOpenOperations(kind: OperationKind | null): Promise<readonly Operation[]>;

  /**
   * Claims the cluster for an operation about backups (sets `backupOperationId`) and writes the backup as it is meant
   * to be, where it is about one of the cluster's own, in one transaction.
   * @param from a deleted cluster whose backups are read: only as long as nobody has begun to remove them
   * @throws {Problem} `backup-in-progress` (its detail names the operation), `not-found`, `backups-removed`
   */
  startBackupOperation(
    start: OperationStart,
    backup: Backup | null,
    from?: { deletedClusterId: string },
  ): Promise<void>;
  /** Backups outlive their cluster. */
  getBackup(clusterId: string, backupId: string): Promise<Backup | null>;
  /** Newest first; of all clusters, also deleted ones, where `clusterId` is null. */
  listBackups(page: {
    clusterId: string | null;
    limit: number;
    cursor: string | null;
  }): Promise<Page<Backup>>;
  /** All of them, oldest first. */
  allBackups(clusterId: string): Promise<readonly Backup[]>;
  /** Whether anything can be restored. */
  hasBackups(clusterId: string): Promise<boolean>;
  /** Writes a backup that is there, as long as it is this operation's. False where it is not. */
  putBackup(backup: Backup): Promise<boolean>;
  /**
   * Says of a backup that it is about to be deleted, by this operation from now on. False where it is not as it was
   * read any more.
   */
  claimBackup(backup: Backup, operationId: string): Promise<boolean>;
  removeBackup(clusterId: string, backupId: string): Promise<void>;
  /** Says of a backup what came of restoring it. One that is gone is success. */
  recordDrill(clusterId: string, backupId: string, drill: BackupDrill): Promise<void>;

  /**
   * Claims the name among the cluster's restore points and writes the point as it is meant to be, in one transaction.
   * @throws {Problem} `restore-point-exists`, `not-found`
   */
  startRestorePoint(start: OperationStart, point: RestorePoint): Promise<void>;
  findRestorePoint(clusterId: string, name: string): Promise<RestorePoint | null>;
  /** Newest first. */
  listRestorePoints(page: {
    clusterId: string;
    limit: number;
    cursor: string | null;
  }): Promise<Page<RestorePoint>>;
  /** Writes a point that is there. */
  putRestorePoint(point: RestorePoint): Promise<void>;

  listOrphans(): Promise<readonly OrphanNote[]>;
  noteOrphan(note: OrphanNote): Promise<void>;
  forgetOrphan(name: string): Promise<void>;

  putAuditEntry(entry: AuditEntry): Promise<void>;
  listAuditEntries(page: {
    clusterId: string;
    limit: number;
    cursor: string | null;
  }): Promise<Page<AuditEntry>>;
}

/** Another call with the same Idempotency-Key was written first: read its record and answer as it did. */
export class IdempotencyConflict extends Error {
  constructor(options?: { cause: unknown }) {
    super("another call with this Idempotency-Key came first", options);
    this.name = "IdempotencyConflict";
  }
}
