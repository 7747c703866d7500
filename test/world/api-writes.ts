import {
  type Backup,
  type BackupType,
  type ClusterStatus,
  type CreateClusterBody,
  completeSpec,
  type DeletedCluster,
  type LoadRequest,
  layoutNodes,
  newBackup,
  newCluster,
  newRestorePoint,
  type Operation,
  type OperationKind,
  pendingOperation,
  planDrill,
  type RestoreRequest,
} from "../../layers/domain/index.ts";
import type { AuditEntry, Store } from "../../layers/ports/index.ts";
import { newId } from "../../layers/runtime/ids.ts";
import { zones } from "./cloud.ts";

/** As the API says it. */
export const atWork = "An operation is at work.";

/** What the API writes before a workflow starts. */
export class ApiWrites {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What `POST /v1/clusters` writes. */
  async writeCreate(
    body: CreateClusterBody,
    as: { kind: OperationKind; request?: Operation["request"] } = { kind: "create-cluster" },
  ): Promise<Operation> {
    const spec = completeSpec(body, { instanceType: "t4g.medium", deletionProtection: false });
    const nodeIds = Array.from({ length: spec.members }, () => newId("node"));
    const at = new Date().toISOString();
    const { kind, request } = as;
    const operation: Operation = {
      ...newOperation(kind, newId("cluster"), at),
      ...(request === undefined ? {} : { request }),
    };
    const cluster = newCluster({
      id: operation.clusterId,
      spec,
      statusReason: "",
      activeOperationId: operation.id,
      createdAt: at,
      nodes: layoutNodes(spec, zones, nodeIds),
    });
    const start = { operation, audit: auditOf(operation, at), idempotency: null };
    await this.#store.createCluster(cluster, start);
    return operation;
  }

  /** What `POST …/undelete` writes. */
  async writeUndelete(deleted: DeletedCluster, request: RestoreRequest): Promise<Operation> {
    const at = new Date().toISOString();
    const { generation, id, spec } = deleted;
    const operation: Operation = { ...newOperation("undelete-cluster", id, at), request: { ...request } };
    const nodeIds = Array.from({ length: spec.members }, () => newId("node"));
    const cluster = newCluster({
      id,
      spec,
      statusReason: "",
      generation: generation + 1,
      activeOperationId: operation.id,
      createdAt: at,
      nodes: layoutNodes(spec, zones, nodeIds),
    });
    const start = { operation, audit: auditOf(operation, at), idempotency: null };
    await this.#store.createCluster(cluster, start, { deletedClusterId: id });
    return operation;
  }

  /** What `POST …/restore-points` writes. */
  async writeRestorePoint(clusterId: string, name: string): Promise<Operation> {
    const at = new Date().toISOString();
    const operation: Operation = {
      ...newOperation("create-restore-point", clusterId, at),
      request: { name },
    };
    const { id: operationId, startedBy } = operation;
    const asked = { name, clusterId, shard: 0, operationId, startedBy, startedAt: at };
    const start = { operation, audit: auditOf(operation, at), idempotency: null };
    await this.#store.startRestorePoint(start, newRestorePoint(asked));
    return operation;
  }

  /** What a call writes that starts an operation on a cluster that is there. */
  async writeStart(
    kind: OperationKind,
    clusterId: string,
    request: Operation["request"] = {},
  ): Promise<Operation> {
    const at = new Date().toISOString();
    const operation = { ...newOperation(kind, clusterId, at), request };
    await this.#store.startOperation(
      { operation, audit: auditOf(operation, at), idempotency: null },
      { status: "updating", statusReason: atWork },
    );
    return operation;
  }

  /** What `POST …/backups` writes. */
  async writeBackup(clusterId: string, type: BackupType = "full"): Promise<Operation> {
    const at = new Date().toISOString();
    const id = newId("backup");
    const operation: Operation = {
      ...newOperation("backup-cluster", clusterId, at),
      request: { backupId: id },
    };
    const asked = {
      id,
      clusterId,
      shard: 0,
      type,
      operationId: operation.id,
      startedBy: "test",
      startedAt: at,
    };
    const start = { operation, audit: auditOf(operation, at), idempotency: null };
    await this.#store.startBackupOperation(start, newBackup(asked));
    return operation;
  }

  /** What `POST …/backups/{backupId}/drill` writes. */
  async writeDrill(backup: Backup, tables: readonly string[] = []): Promise<Operation> {
    const store = this.#store;
    const { clusterId } = backup;
    const [source, backups] = await Promise.all([store.getCluster(clusterId), store.allBackups(clusterId)]);
    if (source === null) throw new Error(`there is no cluster ${clusterId}`);
    const at = new Date().toISOString();
    const ids = { operationId: newId("operation"), clusterId: newId("cluster"), nodeId: newId("node") };
    const asked = { tables, zones, startedBy: "test", at };
    const { cluster, operation } = planDrill({ backup, backups, source }, asked, ids);
    await store.createCluster(cluster, { operation, audit: auditOf(operation, at), idempotency: null });
    return operation;
  }

  /** What the schedule of verifications writes. */
  async writeVerification(clusterId: string): Promise<Operation> {
    const at = new Date().toISOString();
    const operation: Operation = { ...newOperation("verify-backups", clusterId, at), request: {} };
    const start = { operation, audit: auditOf(operation, at), idempotency: null };
    await this.#store.startBackupOperation(start, null);
    return operation;
  }

  /** What `POST …/restore` into a database writes. */
  async writeLoad(clusterId: string, load: LoadRequest): Promise<Operation> {
    const at = new Date().toISOString();
    const operation: Operation = { ...newOperation("load-database", clusterId, at), request: { ...load } };
    const start = { operation, audit: auditOf(operation, at), idempotency: null };
    await this.#store.startBackupOperation(start, null);
    return operation;
  }

  /** What `DELETE …/backups/{backupId}` writes. */
  async writeDeleteBackup(backup: Backup): Promise<Operation> {
    const at = new Date().toISOString();
    const operation: Operation = {
      ...newOperation("delete-backup", backup.clusterId, at),
      request: { backupId: backup.id },
    };
    const start = { operation, audit: auditOf(operation, at), idempotency: null };
    const deleting = { ...backup, state: "deleting", operationId: operation.id } as const;
    await this.#store.startBackupOperation(start, deleting);
    return operation;
  }

  /** What `DELETE /v1/clusters/{clusterId}` writes. */
  async writeDelete(clusterId: string, finalBackup = false): Promise<Operation> {
    const at = new Date().toISOString();
    const cluster = await this.#store.getCluster(clusterId);
    if (cluster === null) throw new Error(`there is no cluster ${clusterId}`);
    const { status, statusReason } = cluster;
    const operation: Operation = {
      ...newOperation("delete-cluster", clusterId, at),
      request: {
        finalBackup: finalBackup ? { backupId: newId("backup"), operationId: newId("operation") } : null,
        before: { status, statusReason },
      },
    };
    await this.#store.startOperation(
      { operation, audit: auditOf(operation, at), idempotency: null },
      { status: "deleting", statusReason: atWork },
    );
    return operation;
  }

  /** What a call writes that starts an operation on a cluster that is there. */
  async write(
    kind: OperationKind,
    clusterId: string,
    cluster: { status: ClusterStatus; request?: NonNullable<Operation["request"]> },
  ): Promise<Operation> {
    const at = new Date().toISOString();
    const { request, status } = cluster;
    const operation = {
      ...newOperation(kind, clusterId, at),
      ...(request === undefined ? {} : { request }),
    };
    await this.#store.startOperation(
      { operation, audit: auditOf(operation, at), idempotency: null },
      { status, statusReason: atWork },
    );
    return operation;
  }
}

const newOperation = (kind: OperationKind, clusterId: string, at: string): Operation =>
  pendingOperation({ id: newId("operation"), clusterId, kind, startedBy: "test", createdAt: at });

export function auditOf(operation: Operation, at: string): AuditEntry {
  return {
    id: newId("audit"),
    clusterId: operation.clusterId,
    at,
    action: operation.kind,
    principal: "test",
    role: "operator",
    sourceAddress: "127.0.0.1",
    requestId: newId("request"),
    operationId: operation.id,
    detail: "",
  };
}
