import { randomUUID } from "node:crypto";
import type { Cluster, Operation, Topology } from "@pgherd/layers/domain";
import type { Environment } from "./environment.ts";
import { waitFor } from "./wait.ts";

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** Longer than any operation takes on two cores that others use too: from then on it is stuck. */
const operationTimeoutSeconds = 480;

/** A node on a busy machine may not answer the first time. */
const topologySeconds = 60;

/** The API as a user calls it: HTTP and nothing else. */
export class Api {
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  async call<T>(
    method: string,
    path: string,
    options: { body?: unknown; headers?: Record<string, string>; token?: string | null } = {},
  ): Promise<Answer<T>> {
    const { api } = await this.#environment.file();
    const token = options.token === undefined ? await this.#environment.token() : options.token;
    const response = await fetch(`${api}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(options.body === undefined ? {} : { "content-type": "application/json" }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === "" ? undefined : JSON.parse(text)) as T,
    };
  }

  get<T>(path: string): Promise<Answer<T>> {
    return this.call<T>("GET", path);
  }

  /** Starts a create and returns at the 202. */
  async create(
    spec: Record<string, unknown>,
    idempotencyKey: string = randomUUID(),
  ): Promise<{ cluster: Cluster; operation: Operation }> {
    const answer = await this.call<{ cluster: Cluster; operation: Operation }>("POST", "/v1/clusters", {
      body: spec,
      headers: { "idempotency-key": idempotencyKey },
    });
    if (answer.status !== 202) throw new Error(`POST /v1/clusters: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Begins an operation and returns at the 202. */
  async begin(method: string, path: string, body?: unknown): Promise<Operation> {
    const answer = await this.call<{ operation: Operation }>(
      method,
      path,
      body === undefined ? {} : { body },
    );
    if (answer.status !== 202) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body.operation;
  }

  /** Begins an operation and waits until it has succeeded. @throws when it ends otherwise */
  async carryOut(
    method: string,
    path: string,
    body?: unknown,
    timeoutSeconds = operationTimeoutSeconds,
  ): Promise<Operation> {
    const ended = await this.operationEnd((await this.begin(method, path, body)).id, timeoutSeconds);
    if (ended.state !== "succeeded") throw new Error(`${method} ${path}: ${JSON.stringify(ended)}`);
    return ended;
  }

  async operation(operationId: string): Promise<Operation> {
    const answer = await this.get<Operation>(`/v1/operations/${operationId}`);
    if (answer.status !== 200) throw new Error(`GET operation: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Waits until the operation ended, however it ended. */
  operationEnd(operationId: string, timeoutSeconds = operationTimeoutSeconds): Promise<Operation> {
    return waitFor(`operation ${operationId} ends`, timeoutSeconds, async () => {
      const operation = await this.operation(operationId);
      return operation.endedAt === null ? undefined : operation;
    });
  }

  /** Creates a cluster and waits until it is available. */
  async createAvailable(spec: Record<string, unknown>): Promise<Cluster> {
    const { cluster, operation } = await this.create(spec);
    const ended = await this.operationEnd(operation.id);
    if (ended.state !== "succeeded")
      throw new Error(`create ended ${ended.state}: ${JSON.stringify(ended.error)}`);
    return (await this.get<Cluster>(`/v1/clusters/${cluster.id}`)).body;
  }

  /** The cluster that `npm start` makes. */
  async demo(): Promise<Cluster> {
    const { body } = await this.get<{ items: Cluster[] }>("/v1/clusters");
    const demo = body.items.find(({ name }) => name === "demo");
    if (demo === undefined) throw new Error("npm start made no cluster demo");
    return demo;
  }

  /** What Patroni and etcd say of a cluster, by one node's word. */
  topology(clusterId: string): Promise<Topology> {
    return waitFor("a node says who leads", topologySeconds, async () => {
      const { status, body } = await this.get<Topology>(`/v1/clusters/${clusterId}/topology`);
      if (status !== 200) throw new Error(JSON.stringify(body));
      return body;
    });
  }

  /** Deletes a cluster and waits until it is gone. Nobody wants a backup of what a test has made. */
  async remove(clusterId: string): Promise<Operation> {
    return this.operationEnd((await this.begin("DELETE", `/v1/clusters/${clusterId}?finalBackup=false`)).id);
  }
}
