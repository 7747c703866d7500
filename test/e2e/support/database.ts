import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { GetParameterCommand } from "@aws-sdk/client-ssm";
import { nodePorts } from "@pgherd/layers/domain";
import type { Api } from "./api.ts";
import { ssmClient } from "./aws.ts";
import type { Environment } from "./environment.ts";
import type { WriterTarget } from "./writers.ts";

const run = promisify(execFile);

/** One statement through a proxy that may be looking for the new leader. */
const statementTimeoutMs = 60_000;
const connectTimeoutSeconds = "2";

export type EndpointName = "readWrite" | "readOnly" | "any" | "pooled";
export type UserName = "admin" | "client";

export interface Connection {
  readonly database: string;
  readonly caCertificate: string;
  readonly users: Record<UserName, { name: string; passwordParameter: string }>;
  readonly endpoints: Record<EndpointName, { hosts: string[]; port: number; uri: string }>;
}

/** A cluster as a user of PostgreSQL sees it: what GET connection says, the passwords it names, and psql. */
export class Database implements AsyncDisposable {
  readonly connection: Connection;
  readonly #directory: string;
  readonly #passwords: ReadonlyMap<string, string>;

  private constructor(connection: Connection, directory: string, passwords: ReadonlyMap<string, string>) {
    this.connection = connection;
    this.#directory = directory;
    this.#passwords = passwords;
  }

  static async of(environment: Environment, api: Api, clusterId: string): Promise<Database> {
    const { body } = await api.get<Connection>(`/v1/clusters/${clusterId}/connection`);
    const directory = await mkdtemp(join(tmpdir(), "pgherd-psql-"));
    await writeFile(join(directory, "ca.pem"), body.caCertificate);
    const ssm = await ssmClient(environment);
    const passwords = new Map<string, string>();
    for (const user of Object.values(body.users)) {
      const answer = await ssm.send(
        new GetParameterCommand({ Name: user.passwordParameter, WithDecryption: true }),
      );
      passwords.set(user.name, answer.Parameter?.Value ?? "");
    }
    ssm.destroy();
    const lines = [...passwords].map(([user, password]) => `*:*:*:${user}:${password}`);
    await writeFile(join(directory, "passfile"), `${lines.join("\n")}\n`);
    await chmod(join(directory, "passfile"), 0o600);
    return new Database(body, directory, passwords);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Runs SQL by psql as `login` through `endpoint`; returns unaligned rows. Rejects with psql's words. */
  sql(endpoint: EndpointName, login: string, statement: string): Promise<string> {
    return this.psql(this.uri(endpoint, login), statement);
  }

  /** What libpq's programs need to log in as any of the users and to verify the cluster. */
  get clientEnvironment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      PGSSLROOTCERT: join(this.#directory, "ca.pem"),
      PGPASSFILE: join(this.#directory, "passfile"),
      PGCONNECT_TIMEOUT: connectTimeoutSeconds,
    };
  }

  uri(endpoint: EndpointName, user: string): string {
    return this.connection.endpoints[endpoint].uri.replace(/^postgresql:\/\/[^@]*@/, `postgresql://${user}@`);
  }

  /** Where clients that write all the time find this cluster: through an endpoint, or PostgreSQL itself. */
  writerTarget(endpoint: EndpointName | "direct", as: UserName = "client"): WriterTarget {
    const { database, caCertificate, users, endpoints } = this.connection;
    const isDirect = endpoint === "direct";
    const { hosts, port } = isDirect
      ? { hosts: endpoints.readWrite.hosts, port: nodePorts.postgres }
      : endpoints[endpoint];
    const user = users[as].name;
    const password = this.#passwords.get(user) ?? "";
    return { hosts, port, database, user, password, authority: caCertificate, isDirect };
  }

  async psql(uri: string, statement: string): Promise<string> {
    const { stdout } = await run(
      "psql",
      ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, uri],
      { env: this.clientEnvironment, timeout: statementTimeoutMs },
    );
    return stdout.trim();
  }
}
