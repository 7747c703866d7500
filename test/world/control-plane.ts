import type { MakingPorts } from "../../functions/workflows/create-cluster/ports.ts";
import {
  type Cluster,
  type CreateClusterBody,
  executionName,
  type Operation,
  type OperationKind,
} from "../../layers/domain/index.ts";
import type { ExecutionInput, Executions } from "../../layers/ports/index.ts";
import { type CheckpointInfo, DurableEngine } from "../../local/lambda/durable/engine.ts";
import { account, region } from "../unit/local/support/endpoints.ts";
import { ApiWrites, atWork, auditOf } from "./api-writes.ts";
import type { Cloud } from "./cloud.ts";
import { inProcessInvoker, SimulatedCrash } from "./in-process-durable.ts";
import { type Handlers, workflowHandlers } from "./workflow-handlers.ts";

const executionTimeoutSeconds = 600;
const retentionDays = 1;

export interface Hooks {
  beforeCheckpoint?: (info: CheckpointInfo) => Promise<void> | void;
  afterCheckpoint?: (info: CheckpointInfo) => Promise<void> | void;
}

/** The workflows on the durable engine, and what the API does before they start. */
export class ControlPlane extends ApiWrites {
  readonly hooks: Hooks = {};
  readonly engine: DurableEngine;
  readonly #ports: MakingPorts;
  readonly #arns: string[] = [];

  /**
   * @param ports the cloud's own, or ones that a test has put something before
   * @param more workflows that a test brings
   */
  constructor(cloud: Cloud, ports: MakingPorts = cloud.ports, more: Handlers = {}) {
    super(ports.store);
    this.#ports = ports;
    const handlers: Handlers = { ...workflowHandlers(ports, this.executions), ...more };
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
