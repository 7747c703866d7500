import { DynamoStore } from "@pgherd/layers/aws/store";
import {
  type Backup,
  type Cluster,
  type DeletedCluster,
  type EnvironmentSettings,
  keptUntil,
  newBackup,
  newRestorePoint,
  type RestorePoint,
  whatIsStored,
} from "@pgherd/layers/domain";
import type { Executions, Store } from "@pgherd/layers/ports";
import { createObserver, type LogFields, newId } from "@pgherd/layers/runtime";
import { type HttpApp, lambdaHandler, type Role } from "@pgherd/layers/runtime/http";
import { createApi } from "../../../functions/api/app.ts";
import { type DynamoDB, openDynamoDB } from "../../world/dynamodb.ts";
import { paperSettings } from "../../world/settings.ts";
import { FakeNodes } from "./commands.ts";
import { checkAgainstDocument } from "./contract.ts";
import { makeAudit, makeCluster, makeOperation } from "./fixtures.ts";
import { FakeRepositories } from "./repositories.ts";
import { FakeSecurityGroups } from "./security-groups.ts";

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // Tests look into answers of every shape.
  readonly body: Record<string, unknown>;
}

export interface CallOptions {
  /** null: no authorizer let the caller in. */
  readonly role?: Role | "unknown" | null;
  readonly principal?: string;
  readonly body?: unknown;
  /** Instead of `body`: these bytes. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly authorizer?: unknown;
}

export const settings: EnvironmentSettings = {
  ...paperSettings,
  environment: "local",
  subnets: { "local-1a": "subnet-a", "local-1b": "subnet-b", "local-1c": "subnet-c" },
  principals: {
    "arn:aws:iam::000000000000:user/ops": "operator",
    "arn:aws:iam::000000000000:role/teams/readers": "viewer",
  },
};

/** Executions that only remember what was started; `failure` makes the next starts fail. */
export class FakeExecutions implements Pick<Executions, "start"> {
  readonly started: { kind: string; operationId: string }[] = [];
  failure: Error | null = null;

  start: Executions["start"] = async (kind, { operationId }) => {
    this.started.push({ kind, operationId });
    if (this.failure !== null) throw this.failure;
  };
}

/** The API on a table of its own, called as API Gateway calls it (payload 2.0). */
export class World {
  #backups = 0;
  readonly store: Store;
  readonly executions = new FakeExecutions();
  readonly nodes = new FakeNodes();
  readonly repositories = new FakeRepositories();
  readonly securityGroups = new FakeSecurityGroups();
  readonly logs: LogFields[] = [];
  readonly app: HttpApp;
  readonly #database: DynamoDB;
  readonly #table: string;
  readonly #handler: ReturnType<typeof lambdaHandler>;

  constructor(database: DynamoDB, table: string, store: Store, change: Partial<EnvironmentSettings> = {}) {
    this.#database = database;
    this.#table = table;
    this.store = store;
    this.app = createApi({
      settings: { ...settings, ...change },
      store,
      executions: { ...unusedExecutions, start: this.executions.start },
      observer: createObserver(this.nodes),
      commands: this.nodes,
      repositories: this.repositories,
      compute: this.securityGroups,
      log: (level, message, fields) => this.logs.push({ level, message, ...fields }),
    });
    this.#handler = lambdaHandler(this.app);
  }

  /** A cluster that was created, with its nodes running. */
  async makeAvailable(name: string, change: Partial<Cluster> = {}): Promise<Cluster> {
    const drawn = makeCluster(name, change);
    const nodes = drawn.nodes.map((node, index) => ({
      ...node,
      state: "running" as const,
      instanceId: `i-${node.id}`,
      networkInterfaceId: `eni-${node.id}`,
      volumeId: `vol-${index}`,
      address: `198.18.0.${index + 10}`,
    }));
    const operation = makeOperation(drawn.id);
    const { id: operationId } = operation;
    const start = { operation, audit: makeAudit(drawn.id), idempotency: null };
    await this.store.createCluster({ ...drawn, nodes, activeOperationId: operationId }, start);
    const cluster = { status: "available", statusReason: "Every member runs." } as const;
    await this.store.endOperation(operationId, { state: "succeeded", endedAt: operation.createdAt, cluster });
    const made = await this.store.getCluster(drawn.id);
    if (made === null) throw new Error("the cluster that was just made is gone");
    return made;
  }

  /** A backup that was taken; the next one is younger. */
  async makeBackup(clusterId: string, change: Partial<Backup> = {}): Promise<Backup> {
    this.#backups += 1;
    const id = newId("backup");
    const operation = makeOperation(clusterId, { kind: "backup-cluster", request: { backupId: id } });
    const { createdAt: at, id: operationId, startedBy } = operation;
    const asked = { id, clusterId, shard: 0, type: "full", operationId, startedBy, startedAt: at } as const;
    const start = { operation, audit: makeAudit(clusterId), idempotency: null };
    await this.store.startBackupOperation(start, newBackup(asked));
    const label = `20260101-${String(this.#backups).padStart(6, "0")}F`;
    const backup = { ...newBackup(asked), state: "succeeded", label, endedAt: at, ...change } as const;
    await this.store.putBackup(backup);
    await this.store.endOperation(operationId, { state: "succeeded", endedAt: at });
    return backup;
  }

  /** A restore point that PostgreSQL has made. */
  async makeRestorePoint(
    clusterId: string,
    name: string,
    change: Partial<RestorePoint> = {},
  ): Promise<RestorePoint> {
    const operation = makeOperation(clusterId, { kind: "create-restore-point", request: { name } });
    const { createdAt: at, id: operationId, startedBy } = operation;
    const asked = newRestorePoint({ name, clusterId, shard: 0, operationId, startedBy, startedAt: at });
    await this.store.startRestorePoint({ operation, audit: makeAudit(clusterId), idempotency: null }, asked);
    const point: RestorePoint = {
      ...asked,
      state: "succeeded",
      at,
      lsn: "0/5000000",
      timeline: 1,
      ...change,
    };
    await this.store.putRestorePoint(point);
    await this.store.endOperation(operationId, { state: "succeeded", endedAt: at });
    return point;
  }

  /** A cluster that was deleted, with the backups that it has. */
  async deleteCluster(cluster: Cluster, change: Partial<DeletedCluster> = {}): Promise<DeletedCluster> {
    const { generation, id, name, spec } = cluster;
    const deletedAt = new Date().toISOString();
    const deleted: DeletedCluster = {
      id,
      name,
      spec,
      generation,
      deletedAt,
      keptUntil: keptUntil(deletedAt, spec),
      hasBackups: await this.store.hasBackups(id),
      hasFiles: whatIsStored(await this.store.allBackups(id)) === "files",
      archivedUntil: null,
      archiveEnd: null,
      isRemoving: false,
      ...change,
    };
    await this.store.removeCluster(id, { deleted, event: null });
    return deleted;
  }

  items(): Promise<unknown[]> {
    return this.#database.scan(this.#table);
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Reply> {
    const [rawPath = "", rawQueryString = ""] = path.split("?");
    const text = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    const result = await this.#handler({
      version: "2.0",
      routeKey: "$default",
      rawPath,
      rawQueryString,
      headers: {
        host: "api.test",
        ...(options.body === undefined ? {} : { "content-type": "application/json" }),
        ...options.headers,
      },
      body: text ?? null,
      isBase64Encoded: false,
      requestContext: requestContext(method, rawPath, options),
    } as never);
    const reply = asReply(result);
    await checkAgainstDocument(this.app, method, rawPath, reply);
    return reply;
  }
}

const unusedExecutions = {
  find: () => Promise.reject(new Error("the API looks for no execution")),
  stop: () => Promise.reject(new Error("the API stops no execution")),
};

function requestContext(method: string, path: string, options: CallOptions) {
  const { role = "admin", principal = "olivia" } = options;
  const claims = { sub: principal, ...(role === "unknown" ? {} : { role }) };
  const authorizer = options.authorizer ?? (role === null ? undefined : { jwt: { claims, scopes: null } });
  return {
    accountId: "000000000000",
    requestId: "gateway-1",
    http: { method, path, protocol: "HTTP/1.1", sourceIp: "203.0.113.7", userAgent: "test" },
    ...(authorizer === undefined ? {} : { authorizer }),
  };
}

function asReply(result: unknown): Reply {
  const { statusCode, headers, body } = result as {
    statusCode: number;
    headers: Record<string, string>;
    body: string;
  };
  const isJson = /json/.test(headers["content-type"] ?? "");
  return { status: statusCode, headers, text: body, body: isJson ? JSON.parse(body) : {} };
}

/** One database for a test file, a table for each world. */
export class Worlds implements AsyncDisposable {
  readonly #database: DynamoDB;

  private constructor(database: DynamoDB) {
    this.#database = database;
  }

  static async start(): Promise<Worlds> {
    return new Worlds(openDynamoDB());
  }

  async make(
    change: Partial<EnvironmentSettings> = {},
    wrap: (store: Store) => Store = (store) => store,
  ): Promise<World> {
    const table = await this.#database.createTable();
    return new World(this.#database, table, wrap(new DynamoStore(table, this.#database.config)), change);
  }

  /** A call begins, and right after it has looked for a call of the same key, the same call comes and is carried out. */
  async makeRacing(): Promise<{
    readonly world: World;
    race(call: () => Promise<Reply>): Promise<{ readonly early: Reply; readonly late: Reply }>;
  }> {
    let meanwhile: (() => Promise<void>) | null = null;
    const world = await this.make({}, (store) => ({
      ...store,
      readIdempotencyRecord: async (...asked) => {
        const found = await store.readIdempotencyRecord(...asked);
        const now = meanwhile;
        meanwhile = null;
        await now?.();
        return found;
      },
    }));
    return {
      world,
      race: async (call) => {
        const twin = Promise.withResolvers<Reply>();
        meanwhile = async () => twin.resolve(await call());
        const late = await call();
        return { early: await twin.promise, late };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }
}
