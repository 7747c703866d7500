import type { CreateDeadlines } from "../../functions/workflows/create-cluster/deadlines.ts";
import { createClusterWorkflow } from "../../functions/workflows/create-cluster.ts";
import { deleteClusterWorkflow } from "../../functions/workflows/delete-cluster.ts";
import { pauseClusterWorkflow } from "../../functions/workflows/pause-cluster.ts";
import type { ClusterPorts } from "../../functions/workflows/ports.ts";
import { resumeClusterWorkflow } from "../../functions/workflows/resume-cluster.ts";
import { rotateCertificatesWorkflow } from "../../functions/workflows/rotate-certificates.ts";
import { rotateCredentialsWorkflow } from "../../functions/workflows/rotate-credentials.ts";
import { startClusterWorkflow } from "../../functions/workflows/start-cluster.ts";
import { stopClusterWorkflow } from "../../functions/workflows/stop-cluster.ts";
import {
  type Cluster,
  type ClusterStatus,
  type CreateClusterBody,
  completeSpec,
  executionName,
  firstLogins,
  layoutNodes,
  type Operation,
  type OperationKind,
} from "../../layers/domain/index.ts";
import type { AuditEntry, ExecutionInput, Executions } from "../../layers/ports/index.ts";
import { newId } from "../../layers/runtime/ids.ts";
import { workflowHandler } from "../../layers/runtime/workflow.ts";
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
  verifySeconds: 1,
};
const stopDeadlines = { clientsSeconds: 1, postgresSeconds: 1, instanceSeconds: 2 };
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
  readonly #ports: ClusterPorts;
  readonly #arns: string[] = [];

  /**
   * @param ports the cloud's own, or ones that a test has put something before
   * @param more workflows that a test brings
   */
  constructor(cloud: Cloud, ports: ClusterPorts = cloud.ports, more: Handlers = {}) {
    this.#ports = ports;
    const handlers: Handlers = {
      "create-cluster": workflowHandler(createClusterWorkflow(deadlines), () => ports),
      "delete-cluster": workflowHandler(deleteClusterWorkflow, () => ports),
      "stop-cluster": workflowHandler(stopClusterWorkflow(stopDeadlines), () => ports),
      "start-cluster": workflowHandler(startClusterWorkflow(deadlines), () => ports),
      "pause-cluster": workflowHandler(pauseClusterWorkflow, () => ports),
      "resume-cluster": workflowHandler(resumeClusterWorkflow, () => ports),
      "rotate-credentials": workflowHandler(rotateCredentialsWorkflow, () => ports),
      "rotate-certificates": workflowHandler(rotateCertificatesWorkflow(deadlines), () => ports),
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
  async writeCreate(body: CreateClusterBody): Promise<Operation> {
    const spec = completeSpec(body, { instanceType: "t4g.medium", deletionProtection: false });
    const nodeIds = Array.from({ length: spec.members }, () => newId("node"));
    const at = new Date().toISOString();
    const operation = newOperation("create-cluster", newId("cluster"), at);
    const cluster: Cluster = {
      id: operation.clusterId,
      name: spec.name,
      status: "creating",
      statusReason: "",
      spec,
      generation: 1,
      activeOperationId: operation.id,
      paused: null,
      logins: firstLogins,
      retiring: null,
      createdAt: at,
      updatedAt: at,
      nodes: layoutNodes(spec, zones, nodeIds),
      drift: [],
    };
    const start = { operation, audit: auditOf(operation, at), idempotency: null };
    await this.#ports.store.createCluster(cluster, start);
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

  /** What `DELETE /v1/clusters/{clusterId}` writes. */
  async writeDelete(clusterId: string): Promise<Operation> {
    const at = new Date().toISOString();
    const operation = newOperation("delete-cluster", clusterId, at);
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

  async delete(clusterId: string): Promise<Operation> {
    return this.carryOut(await this.writeDelete(clusterId));
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

function newOperation(kind: OperationKind, clusterId: string, at: string): Operation {
  return {
    id: newId("operation"),
    clusterId,
    kind,
    state: "pending",
    progress: 0,
    steps: [],
    cancelRequested: false,
    startedBy: "test",
    createdAt: at,
    endedAt: null,
  };
}

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
