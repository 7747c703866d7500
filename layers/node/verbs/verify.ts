import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import type { NodeCommands } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { ownIdentity } from "../identity.ts";
import { readPasswords } from "../passwords.ts";
import { run } from "../process.ts";
import { identifier, literal } from "../psql.ts";

const users = ["admin", "client"] as const;
/** Private to root, in memory, gone with the next boot. */
const scratchParent = "/run";
/** One login and one statement. */
const statementTimeoutMs = 15_000;
const connectTimeoutSeconds = 2;
/** HAProxy looks at a member twice a second. */
const retryMs = 100;

const schema = "pgherd_verify";

/** Logs in as people do: over the network, verified TLS, password from a file. */
class Visitor {
  readonly #directory: string;
  readonly #database: string;
  readonly #deadline: Deadline;

  constructor(directory: string, database: string, deadline: Deadline) {
    this.#directory = directory;
    this.#database = database;
    this.#deadline = deadline;
  }

  /** Runs the SQL until `expected` comes back: members join the pools of HAProxy one by one. */
  async expect(user: (typeof users)[number], address: string, port: number, sql: string, expected: string) {
    let last = "";
    const probe = async (): Promise<true | null> => {
      try {
        last = await this.#sql(user, address, port, sql);
      } catch (error) {
        if (!(error instanceof NodeFailure)) throw error;
        last = error.message;
      }
      return last === expected ? true : null;
    };
    await this.#deadline.until(
      probe,
      () => new NodeFailure(`${user} at ${address}:${port} got: ${last}`, { code: "endpoint-not-verified" }),
      retryMs,
    );
  }

  async #sql(user: string, address: string, port: number, sql: string): Promise<string> {
    const connection = `host=${address} port=${port} dbname=${this.#database} user=${user} sslmode=verify-full`;
    const { stdout } = await run(
      "psql",
      ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", connection, "-f", "-"],
      {
        stdin: sql,
        timeoutMs: statementTimeoutMs,
        env: {
          PGSSLROOTCERT: join(this.#directory, "authority"),
          PGPASSFILE: join(this.#directory, "passwords"),
          PGCONNECT_TIMEOUT: String(connectTimeoutSeconds),
          HOME: this.#directory,
        },
      },
    );
    return stdout.trim();
  }
}

type Input = NodeCommands["verify"]["input"];

/** What `admin` makes for the visit; `client` gets its rights on it by itself. */
function setUp(): string {
  return `SET client_min_messages = warning;
DROP SCHEMA IF EXISTS ${identifier(schema)} CASCADE;
CREATE SCHEMA ${identifier(schema)};
CREATE TABLE ${identifier(schema)}.visits (token text PRIMARY KEY);
SELECT 'made';`;
}

async function visit(visitor: Visitor, input: Input): Promise<void> {
  const [first] = input.addresses;
  if (first === undefined) return;
  const token = randomBytes(16).toString("hex");
  const table = `${identifier(schema)}.visits`;
  await visitor.expect("admin", first, nodePorts.readWrite, setUp(), "made");
  const write = `INSERT INTO ${table} VALUES (${literal(token)}) ON CONFLICT DO NOTHING; SELECT 'written';`;
  await visitor.expect("client", first, nodePorts.readWrite, write, "written");
  const seen = `SELECT token, pg_is_in_recovery() FROM ${table} WHERE token = ${literal(token)};`;
  const anywhere = `SELECT token FROM ${table} WHERE token = ${literal(token)};`;
  const looks = input.addresses.flatMap((address) => [
    () => visitor.expect("client", address, nodePorts.readWrite, seen, `${token}|f`),
    () => visitor.expect("client", address, nodePorts.any, anywhere, token),
    ...(input.replicas > 0
      ? [() => visitor.expect("client", address, nodePorts.readOnly, seen, `${token}|t`)]
      : []),
    ...(input.pooler ? [() => visitor.expect("client", address, nodePorts.pooled, seen, `${token}|f`)] : []),
  ]);
  await inLanes(looks);
}

/** More logins at a time would only wait for each other on a small machine. */
const lanes = 4;

async function inLanes(jobs: (() => Promise<void>)[]): Promise<void> {
  const queue = [...jobs];
  const lane = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await job();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

export const verify: VerbFunction<"verify"> = async (input, context) => {
  const passwords = await readPasswords(context, input, users);
  const directory = await mkdtemp(join(scratchParent, "pgherd-verify-"));
  try {
    const lines = users.map((user) => `*:*:*:${user}:${passwords[user].replace(/[:\\]/g, "\\$&")}\n`);
    await writeFile(join(directory, "passwords"), lines.join(""), { mode: 0o600 });
    // A node of proxies alone has no copy for PostgreSQL.
    await writeFile(join(directory, "authority"), (await ownIdentity()).ca);
    const deadline = new Deadline(input.timeoutSeconds * 1000);
    const visitor = new Visitor(directory, input.database, deadline);
    await visit(visitor, input);
    const [first] = input.addresses;
    const drop = `DROP SCHEMA ${identifier(schema)} CASCADE; SELECT 'gone';`;
    const quiet = `SET client_min_messages = warning; ${drop}`;
    if (first !== undefined) await visitor.expect("admin", first, nodePorts.readWrite, quiet, "gone");
    return {};
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
