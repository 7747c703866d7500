import type { DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import type { Store } from "../ports/store.ts";
import * as backups from "./store/backups.ts";
import { openTable, type Table } from "./store/client.ts";
import * as clusterChanges from "./store/cluster-changes.ts";
import * as clusterParts from "./store/cluster-parts.ts";
import * as clusters from "./store/clusters.ts";
import * as deleted from "./store/deleted.ts";
import * as health from "./store/health.ts";
import * as operationEnds from "./store/operation-ends.ts";
import * as operationLists from "./store/operation-lists.ts";
import * as operations from "./store/operations.ts";
import * as orphans from "./store/orphans.ts";
import * as records from "./store/records.ts";
import * as restorePoints from "./store/restore-points.ts";
import * as steps from "./store/steps.ts";

/**
 * The state of an environment in one DynamoDB table.
 *
 * | item | pk | sk | gsi1pk / gsi1sk | gsi2pk / gsi2sk |
 * |---|---|---|---|---|
 * | cluster | `CLUSTER#<clusterId>` | `CLUSTER` | `CLUSTERS` / `<clusterId>` | |
 * | node | `CLUSTER#<clusterId>` | `NODE#<nodeId>` | `CLUSTERS` / `<clusterId>#<nodeId>` | |
 * | CA certificate (public) | `CLUSTER#<clusterId>` | `AUTHORITY` | | |
 * | health record | `CLUSTER#<clusterId>` | `ASSESSMENT` | | |
 * | newest metrics (TTL `expiresAt`) | `CLUSTER#<clusterId>` | `ASSESSMENT#METRICS` | | |
 * | claim of a name | `NAME#<name>` | `NAME` | | |
 * | operation with its steps | `OPERATION#<operationId>` | `OPERATION` | `OPERATIONS` / `<operationId>` | `CLUSTER#<clusterId>` / `<operationId>` |
 * | marker: has not ended | `OPEN_OPERATIONS` | `<operationId>` | | |
 * | backup | `BACKUPS#<clusterId>` | `<backupId>` | `BACKUPS` / `<backupId>` | |
 * | restore point | `RESTORE_POINTS#<clusterId>` | `<operationId>` | | |
 * | claim of a restore point's name | `RESTORE_POINT_NAMES#<clusterId>` | `<name>` | | |
 * | what is kept of a deleted cluster | `DELETED_CLUSTERS` | `<clusterId>` | | |
 * | note of an orphan | `ORPHANS` | kind and id | | |
 * | audit entry | `EVENTS#<clusterId>` | `<auditId>` | | |
 * | idempotency record (TTL `expiresAt`) | `IDEMPOTENCY#<principal>` | `<key>` | | |
 *
 * All keys are strings; both indexes project everything. Lists of clusters and of operations read an index and can
 * lag by moments, as does what is read of many clusters at once; everything else is read consistently.
 */
export class DynamoStore implements Store {
  readonly #table: Table;

  constructor(tableName: string, config?: DynamoDBClientConfig) {
    this.#table = openTable(tableName, config);
  }

  createCluster: Store["createCluster"] = (cluster, start, from) =>
    clusters.createCluster(this.#table, cluster, start, from);
  startOperation: Store["startOperation"] = (start, cluster) =>
    operations.startOperation(this.#table, start, cluster);
  changeSpec: Store["changeSpec"] = (clusterId, operationId, spec) =>
    clusterChanges.changeSpec(this.#table, clusterId, operationId, spec);
  readIdempotencyRecord: Store["readIdempotencyRecord"] = (principal, key) =>
    records.readIdempotencyRecord(this.#table, principal, key);
  putIdempotencyRecord: Store["putIdempotencyRecord"] = (record) =>
    records.putIdempotencyRecord(this.#table, record);

  getCluster: Store["getCluster"] = (clusterId) => clusters.getCluster(this.#table, clusterId);
  findClusterByName: Store["findClusterByName"] = (name) => clusters.findClusterByName(this.#table, name);
  listClusters: Store["listClusters"] = (page) => clusters.listClusters(this.#table, page);
  removeCluster: Store["removeCluster"] = (clusterId, kept) =>
    clusters.removeCluster(this.#table, clusterId, kept);
  releaseName: Store["releaseName"] = (clusterId) => clusters.releaseName(this.#table, clusterId);
  recordOnCluster: Store["recordOnCluster"] = (clusterId, operationId, change) =>
    clusterChanges.recordOnCluster(this.#table, clusterId, operationId, change);
  recordProof: Store["recordProof"] = (clusterId, change) =>
    clusterChanges.recordProof(this.#table, clusterId, change);
  abandonCluster: Store["abandonCluster"] = (clusterId, operationId, statusReason) =>
    clusterChanges.abandonCluster(this.#table, clusterId, operationId, statusReason);
  updateClusterStatus: Store["updateClusterStatus"] = (clusterId, status, statusReason) =>
    clusterChanges.updateClusterStatus(this.#table, clusterId, status, statusReason);

  readHealth: Store["readHealth"] = (clusterId) => health.readHealth(this.#table, clusterId);
  updateHealth: Store["updateHealth"] = (clusterId, update) =>
    health.updateHealth(this.#table, clusterId, update);
  putMetrics: Store["putMetrics"] = (clusterId, metrics) =>
    health.putMetrics(this.#table, clusterId, metrics);
  readMetrics: Store["readMetrics"] = (clusterId) => health.readMetrics(this.#table, clusterId);
  readLastLooks: Store["readLastLooks"] = (clusterIds) => health.readLastLooks(this.#table, clusterIds);

  putNode: Store["putNode"] = (clusterId, node) => clusterParts.putNode(this.#table, clusterId, node);
  removeNode: Store["removeNode"] = (clusterId, nodeId) =>
    clusterParts.removeNode(this.#table, clusterId, nodeId);
  putAuthorityCertificate: Store["putAuthorityCertificate"] = (clusterId, pem) =>
    clusterParts.putAuthorityCertificate(this.#table, clusterId, pem);
  getAuthorityCertificate: Store["getAuthorityCertificate"] = (clusterId) =>
    clusterParts.getAuthorityCertificate(this.#table, clusterId);
  removeAuthorityCertificate: Store["removeAuthorityCertificate"] = (clusterId) =>
    clusterParts.removeAuthorityCertificate(this.#table, clusterId);

  getOperation: Store["getOperation"] = (operationId) =>
    operationLists.getOperation(this.#table, operationId);
  listOperations: Store["listOperations"] = (page) => operationLists.listOperations(this.#table, page);
  markOperationRunning: Store["markOperationRunning"] = (operationId, stepNames) =>
    operations.markOperationRunning(this.#table, operationId, stepNames);
  updateStep: Store["updateStep"] = (operationId, step) =>
    steps.updateSteps(this.#table, operationId, [step]);
  updateSteps: Store["updateSteps"] = (operationId, written) =>
    steps.updateSteps(this.#table, operationId, written);
  putOperationResult: Store["putOperationResult"] = (operationId, result) =>
    operations.putOperationResult(this.#table, operationId, result);
  endOperation: Store["endOperation"] = (operationId, end) =>
    operationEnds.endOperation(this.#table, operationId, end);
  requestCancel: Store["requestCancel"] = (operationId, audit, idempotency) =>
    operations.requestCancel(this.#table, operationId, audit, idempotency);
  listOpenOperations: Store["listOpenOperations"] = (kind) =>
    operationLists.listOpenOperations(this.#table, kind);

  startBackupOperation: Store["startBackupOperation"] = (start, backup, from) =>
    backups.startBackupOperation(this.#table, start, backup, from);
  getBackup: Store["getBackup"] = (clusterId, backupId) =>
    backups.getBackup(this.#table, clusterId, backupId);
  listBackups: Store["listBackups"] = (page) => backups.listBackups(this.#table, page);
  allBackups: Store["allBackups"] = (clusterId) => backups.allBackups(this.#table, clusterId);
  hasBackups: Store["hasBackups"] = async (clusterId) =>
    (await backups.allBackups(this.#table, clusterId)).some((backup) => backup.label !== null);
  putBackup: Store["putBackup"] = (backup) => backups.putBackup(this.#table, backup);
  claimBackup: Store["claimBackup"] = (backup, operationId) =>
    backups.claimBackup(this.#table, backup, operationId);
  removeBackup: Store["removeBackup"] = (clusterId, backupId) =>
    backups.removeBackup(this.#table, clusterId, backupId);

  recordDrill: Store["recordDrill"] = (clusterId, backupId, drill) =>
    backups.recordDrill(this.#table, clusterId, backupId, drill);

  startRestorePoint: Store["startRestorePoint"] = (start, point) =>
    restorePoints.startRestorePoint(this.#table, start, point);
  findRestorePoint: Store["findRestorePoint"] = (clusterId, name) =>
    restorePoints.findRestorePoint(this.#table, clusterId, name);
  listRestorePoints: Store["listRestorePoints"] = (page) =>
    restorePoints.listRestorePoints(this.#table, page);
  putRestorePoint: Store["putRestorePoint"] = (point) => restorePoints.putRestorePoint(this.#table, point);

  getDeletedCluster: Store["getDeletedCluster"] = (clusterId) =>
    deleted.getDeletedCluster(this.#table, clusterId);
  listDeletedClusters: Store["listDeletedClusters"] = () => deleted.listDeletedClusters(this.#table);
  beginRemoval: Store["beginRemoval"] = (clusterId) => deleted.setRemoving(this.#table, clusterId, true);
  putOffRemoval: Store["putOffRemoval"] = async (clusterId) => {
    await deleted.setRemoving(this.#table, clusterId, false);
  };
  removeBackupRecords: Store["removeBackupRecords"] = (clusterId) =>
    deleted.removeBackupRecords(this.#table, clusterId);
  forgetDeletedCluster: Store["forgetDeletedCluster"] = (clusterId, event) =>
    deleted.forgetDeletedCluster(this.#table, clusterId, event);

  listOrphans: Store["listOrphans"] = () => orphans.listOrphans(this.#table);
  noteOrphan: Store["noteOrphan"] = (note) => orphans.noteOrphan(this.#table, note);
  forgetOrphan: Store["forgetOrphan"] = (name) => orphans.forgetOrphan(this.#table, name);

  putAuditEntry: Store["putAuditEntry"] = (entry) => records.putAuditEntry(this.#table, entry);
  listAuditEntries: Store["listAuditEntries"] = (page) => records.listAuditEntries(this.#table, page);
}
