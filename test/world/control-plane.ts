import { backupClusterLoop } from "../../functions/workflows/backup-cluster.ts";
import { confirmRestoreWorkflow } from "../../functions/workflows/confirm-restore.ts";
import type { CreateDeadlines } from "../../functions/workflows/create-cluster/deadlines.ts";
import type { MakingPorts } from "../../functions/workflows/create-cluster/ports.ts";
import { createClusterWorkflow } from "../../functions/workflows/create-cluster.ts";
import { createRestorePointWorkflow } from "../../functions/workflows/create-restore-point.ts";
import { deleteBackupWorkflow } from "../../functions/workflows/delete-backup.ts";
import { deleteClusterWorkflow } from "../../functions/workflows/delete-cluster.ts";
import { drillBackupWorkflow } from "../../functions/workflows/drill-backup.ts";
import type { InPlaceDeadlines } from "../../functions/workflows/in-place/deadlines.ts";
import { loadDatabaseLoop } from "../../functions/workflows/load-database.ts";
import { pauseClusterWorkflow } from "../../functions/workflows/pause-cluster.ts";
import { restoreClusterWorkflow } from "../../functions/workflows/restore-cluster.ts";
import { restoreInPlaceWorkflow } from "../../functions/workflows/restore-in-place.ts";
import { resumeClusterWorkflow } from "../../functions/workflows/resume-cluster.ts";
import { rollbackRestoreWorkflow } from "../../functions/workflows/rollback-restore.ts";
import { rotateCertificatesWorkflow } from "../../functions/workflows/rotate-certificates.ts";
import { rotateCredentialsWorkflow } from "../../functions/workflows/rotate-credentials.ts";
import { startClusterWorkflow } from "../../functions/workflows/start-cluster.ts";
import { stopClusterWorkflow } from "../../functions/workflows/stop-cluster.ts";
import { undeleteClusterWorkflow } from "../../functions/workflows/undelete-cluster.ts";
import { verifyBackupsWorkflow } from "../../functions/workflows/verify-backups.ts";
import {
  type Backup,
  type BackupType,
  type Cluster,
  type ClusterStatus,
  type CreateClusterBody,
  completeSpec,
  type DeletedCluster,
  executionName,
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
import type { AuditEntry, ExecutionInput, Executions } from "../../layers/ports/index.ts";
import { newId } from "../../layers/runtime/ids.ts";
import { loopHandler, workflowHandler } from "../../layers/runtime/workflow.ts";
import { type CheckpointInfo, DurableEngine } from "../../local/lambda/durable/engine.ts";
import { account, region } from "../unit/local/support/endpoints.ts";
import { type Cloud, zones } from "./cloud.ts";
import { inProcessInvoker, SimulatedCrash } from "./in-process-durable.ts";

/** Steps that never answer must not hold a test for minutes. */
const deadlines: CreateDeadlines = {
  instanceSeconds: 1,
  agentSeconds: 1,
  prepareSeconds: 1,
  configureSeconds: 1,
  membersSeconds: 1,
  databaseSeconds: 1,
  archiveSeconds: 1,
  verifySeconds: 1,
  sourceMs: 50,
};
const stopDeadlines = { clientsSeconds: 1, postgresSeconds: 1, instanceSeconds: 2 };
const backupPatience = {
  prepareSeconds: 1,
  shortSeconds: 1,
  deleteSeconds: 1,
  sliceMs: 40,
  lookMs: 5,
  pauseMs: 1,
  silenceMs: 50,
  nobodyMs: 100,
};
const checkPatience = { shortSeconds: 1, sliceMs: 40, lookMs: 5 };
const deletePatience = { sliceMs: 10_000, lookMs: 5, clientsSeconds: 1, archiveSeconds: 1 };
const pointPatience = { seconds: 1, nobodyMs: 50, lookMs: 5 };
const inPlacePatience: InPlaceDeadlines = {
  ...deadlines,
  shortSeconds: 1,
  transactionSeconds: 1,
  preserveSeconds: 1,
  stopSeconds: 1,
  lookSeconds: 1,
  leadSeconds: 1,
  putBackSeconds: 1,
  returnSeconds: 1,
  dropSeconds: 1,
  // Three refusals, on a busy machine.
  insistMs: 500,
  sliceMs: 400,
  lookMs: 5,
};
/** As the API says it. */
const atWork = "An operation is at work.";
const executionTimeoutSeconds = 600;
const retentionDays = 1;

export type Handlers = Partial<Record<OperationKind, (event: never, context: never) => Promise<unknown>>>;

export interface Hooks {
  beforeCheckpoint?: (info: CheckpointInfo) => Promise<void> | void;
  afterCheckpoint?: (info: CheckpointInfo) => Promise<void> | void;
}

/** The workflows on the durable engine, and what the API does before they start. */
export class ControlPlane {
  readonly hooks: Hooks = {};
  readonly engine: DurableEngine;
  readonly #ports: MakingPorts;
  readonly #arns: string[] = [];

  /**
   * @param ports the cloud's own, or ones that a test has put something before
   * @param more workflows that a test brings
   */
  constructor(cloud: Cloud, ports: MakingPorts = cloud.ports, more: Handlers = {}) {
    this.#ports = ports;
    const handlers: Handlers = {
      "create-cluster": workflowHandler(createClusterWorkflow(deadlines), () => ports),
      "restore-cluster": workflowHandler(restoreClusterWorkflow(deadlines, backupPatience), () => ports),
      "undelete-cluster": workflowHandler(undeleteClusterWorkflow(deadlines), () => ports),
      "delete-cluster": workflowHandler(deleteClusterWorkflow(deletePatience), () => ({
        ...ports,
        executions: this.executions,
      })),
      "create-restore-point": workflowHandler(createRestorePointWorkflow(pointPatience), () => ports),
      "stop-cluster": workflowHandler(stopClusterWorkflow(stopDeadlines), () => ports),
      "start-cluster": workflowHandler(startClusterWorkflow(deadlines), () => ports),
      "pause-cluster": workflowHandler(pauseClusterWorkflow, () => ports),
      "resume-cluster": workflowHandler(resumeClusterWorkflow, () => ports),
      "rotate-credentials": workflowHandler(rotateCredentialsWorkflow, () => ports),
      "rotate-certificates": workflowHandler(rotateCertificatesWorkflow(deadlines), () => ports),
      "restore-in-place": workflowHandler(restoreInPlaceWorkflow(inPlacePatience), () => ports),
      "rollback-restore": workflowHandler(rollbackRestoreWorkflow(inPlacePatience), () => ports),
      "confirm-restore": workflowHandler(confirmRestoreWorkflow(inPlacePatience), () => ports),
      "backup-cluster": loopHandler(backupClusterLoop(backupPatience), () => ports),
      "load-database": loopHandler(loadDatabaseLoop(backupPatience), () => ports),
      "drill-backup": workflowHandler(drillBackupWorkflow(deadlines, checkPatience), () => ports),
      "verify-backups": workflowHandler(verifyBackupsWorkflow(backupPatience), () => ports),
      "delete-backup": workflowHandler(deleteBackupWorkflow(backupPatience), () => ports),
      ...more,
    };
    this.engine = new DurableEngine({
      documents: cloud.documents,
      region,
      account,
      invoke: inProcessInvoker(
        (name) => (event, context) => {
          const handler = handlers[name as OperationKind];
          if (handler === undefined) throw new Error(`the world has no workflow ${name}`);
          return handler(event as never, context as never);
        },
        () => this.engine,
      ),
      hooks: {
        beforeCheckpoint: (info) => this.hooks.beforeCheckpoint?.(info),
        afterCheckpoint: (info) => this.hooks.afterCheckpoint?.(info),
      },
      crashDelayMs: () => 0,
      onError: (error) => {
        if (!(error instanceof SimulatedCrash)) throw error;
      },
    });
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
    await this.#ports.store.createCluster(cluster, start);
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
    await this.#ports.store.createCluster(cluster, start, { deletedClusterId: id });
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
    await this.#ports.store.startRestorePoint(start, newRestorePoint(asked));
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
    await this.#ports.store.startOperation(
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
    await this.#ports.store.startBackupOperation(start, newBackup(asked));
    return operation;
  }

  /** What `POST …/backups/{backupId}/drill` writes. */
  async writeDrill(backup: Backup, tables: readonly string[] = []): Promise<Operation> {
    const { store } = this.#ports;
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
    await this.#ports.store.startBackupOperation(start, null);
    return operation;
  }

  /** What `POST …/restore` into a database writes. */
  async writeLoad(clusterId: string, load: LoadRequest): Promise<Operation> {
    const at = new Date().toISOString();
    const operation: Operation = { ...newOperation("load-database", clusterId, at), request: { ...load } };
    const start = { operation, audit: auditOf(operation, at), idempotency: null };
    await this.#ports.store.startBackupOperation(start, null);
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
    await this.#ports.store.startBackupOperation(start, deleting);
    return operation;
  }

  /** What `DELETE /v1/clusters/{clusterId}` writes. */
  async writeDelete(clusterId: string, finalBackup = false): Promise<Operation> {
    const at = new Date().toISOString();
    const cluster = await this.#ports.store.getCluster(clusterId);
    if (cluster === null) throw new Error(`there is no cluster ${clusterId}`);
    const { status, statusReason } = cluster;
    const operation: Operation = {
      ...newOperation("delete-cluster", clusterId, at),
      request: {
        finalBackup: finalBackup ? { backupId: newId("backup"), operationId: newId("operation") } : null,
        before: { status, statusReason },
      },
    };
    await this.#ports.store.startOperation(
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
    await this.#ports.store.startOperation(
      { operation, audit: auditOf(operation, at), idempotency: null },
      { status, statusReason: atWork },
    );
    return operation;
  }

  /** Executions as the reconciler sees them: what `LambdaExecutions` does over the wire. */
  readonly executions: Executions = {
    start: async (kind, input) => {
      this.#arns.push(this.#start(kind, input));
    },
    stop: async (kind, operationId, attempt) => {
      const found = this.#find(kind, operationId, attempt);
      if (found?.status === "RUNNING") this.engine.stop(found.arn, null);
    },
    find: async (kind, operationId, attempt) => {
      const found = this.#find(kind, operationId, attempt);
      if (found === undefined) return { state: "absent" };
      return found.status === "RUNNING"
        ? { state: "running", startedAt: new Date(found.startedAt) }
        : { state: "ended", outcome: found.status.toLowerCase(), endedAt: new Date(found.endedAt ?? 0) };
    },
  };

  #find(kind: OperationKind, operationId: string, attempt: number) {
    const name = executionName(operationId, attempt);
    return this.engine.list(kind).find((one) => one.name === name);
  }

  /** Resolves when everything that {@link executions} started has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#arns.splice(0).map((arn) => this.engine.ended(arn)));
  }

  #start(kind: OperationKind, input: ExecutionInput): string {
    const { arn } = this.engine.start({
      functionName: kind,
      version: "1",
      name: executionName(input.operationId, input.recovery?.attempt),
      payload: JSON.stringify(input),
      executionTimeoutSeconds,
      retentionDays,
    });
    return arn;
  }

  /** Runs an operation's execution to its end and answers the operation as it is then. */
  async carryOut(operation: Operation, recovery?: { attempt: number; reason: string }): Promise<Operation> {
    const { id: operationId, clusterId, kind } = operation;
    const input = { operationId, clusterId, ...(recovery === undefined ? {} : { recovery }) };
    const ended = await this.engine.ended(this.#start(kind, input));
    if (ended.status === "FAILED") {
      throw new Error(`the execution of ${kind} failed: ${JSON.stringify(ended.error)}`);
    }
    const read = await this.read(operationId);
    await this.#checkReason(read);
    return read;
  }

  /** Whatever an operation comes to, once it has ended nothing says that it is at work. */
  async #checkReason({ clusterId, endedAt }: Operation): Promise<void> {
    const cluster = await this.#ports.store.getCluster(clusterId);
    if (endedAt === null || cluster === null || cluster.activeOperationId !== null) return;
    if (cluster.statusReason === atWork || cluster.status === "updating") {
      throw new Error(
        `the operation has ended, and the cluster is ${cluster.status}: ${cluster.statusReason}`,
      );
    }
  }

  async create(body: CreateClusterBody): Promise<{ operation: Operation; cluster: Cluster | null }> {
    const operation = await this.carryOut(await this.writeCreate(body));
    return { operation, cluster: await this.#ports.store.getCluster(operation.clusterId) };
  }

  async delete(clusterId: string, finalBackup = false): Promise<Operation> {
    return this.carryOut(await this.writeDelete(clusterId, finalBackup));
  }

  async read(operationId: string): Promise<Operation> {
    const operation = await this.#ports.store.getOperation(operationId);
    if (operation === null) throw new Error(`there is no operation ${operationId}`);
    return operation;
  }

  async requestCancel(operation: Operation): Promise<void> {
    const audit = auditOf(operation, new Date().toISOString());
    await this.#ports.store.requestCancel(operation.id, audit, null);
  }
}

const newOperation = (kind: OperationKind, clusterId: string, at: string): Operation =>
  pendingOperation({ id: newId("operation"), clusterId, kind, startedBy: "test", createdAt: at });

function auditOf(operation: Operation, at: string): AuditEntry {
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
