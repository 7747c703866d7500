import type { Backup, Cluster, Operation } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "../support/database.ts";
import { onMachine } from "../support/machines.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

/** What a dump has to bring back, one of each kind that is easily lost. */
const fillStatement = `
CREATE SCHEMA sales;
CREATE TYPE sales.state AS ENUM ('open', 'paid');
CREATE TABLE sales.customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE sales.orders (
  id bigserial PRIMARY KEY,
  customer int NOT NULL REFERENCES sales.customers,
  state sales.state NOT NULL DEFAULT 'open',
  words text
) ;
CREATE INDEX ON sales.orders (state) WHERE state = 'open';
CREATE VIEW sales.open AS SELECT * FROM sales.orders WHERE state = 'open';
CREATE MATERIALIZED VIEW sales.totals AS SELECT 1 AS one;
CREATE FUNCTION sales.twice(i int) RETURNS int LANGUAGE sql IMMUTABLE RETURN i * 2;
CREATE TABLE "odd ""name"" = '1'" (v vector(3));
INSERT INTO sales.customers (name) SELECT 'customer ' || i FROM generate_series(1, 1000) AS i;
INSERT INTO sales.orders (customer, words)
  SELECT 1 + i % 1000, md5(i::text) || md5((i + 1)::text) || md5((i + 2)::text) FROM generate_series(1, 400000) AS i;
INSERT INTO "odd ""name"" = '1'" VALUES ('[1,2,3]');
SELECT lo_from_bytea(0, 'a large object');
SELECT lo_from_bytea(0, repeat('another', 10000)::bytea);`;

/** Everything above in one line, so that two databases can be compared. */
const sumStatement = `SELECT
  (SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM sales.orders AS o),
  (SELECT md5(string_agg(c::text, ',' ORDER BY id)) FROM sales.customers AS c),
  (SELECT string_agg(v::text, ',') FROM "odd ""name"" = '1'"),
  (SELECT md5(string_agg(lo_get(oid)::text, ',' ORDER BY oid)) FROM pg_largeobject_metadata),
  sales.twice(21),
  (SELECT count(*) FROM sales.open),
  (SELECT string_agg(conname::text || contype::text, ',' ORDER BY conname) FROM pg_constraint WHERE connamespace = 'sales'::regnamespace)`;

/** A few megabytes at most may ever wait on the node for being sent. */
const spoolMiBMax = 300;
const takeSeconds = 120;
/** A replica knows of a sequence what WAL says, which is up to 32 values ahead of it (SEQ_LOG_VALS). */
const sequenceAheadMax = 32;

let cluster: Cluster;
let database: Database;
const made: string[] = [];
let sum: string;

beforeAll(async () => {
  cluster = await api.createAvailable({
    name: "dumped",
    members: 2,
    extensions: ["vector"],
    backup: { retention: { logical: 2 } },
  });
  database = await Database.of(environment, api, cluster.id);
  await database.sql("readWrite", "admin", fillStatement);
  sum = await database.sql("readWrite", "admin", sumStatement);
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  for (const id of [...made, cluster.id]) await api.remove(id);
});

const path = () => `/v1/clusters/${cluster.id}/backups`;
const find = async (id: string): Promise<Backup> => (await api.get<Backup>(`${path()}/${id}`)).body;

async function begin(): Promise<{ backup: Backup; operation: Operation }> {
  const body = { type: "logical" };
  const answer = await api.call<{ backup: Backup; operation: Operation }>("POST", path(), { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body;
}

async function take(): Promise<Backup> {
  const { backup, operation } = await begin();
  const ended = await api.operationEnd(operation.id);
  expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
  return find(backup.id);
}

async function restore(backupId: string, body: object): Promise<Operation> {
  const answer = await api.call<{ operation: Operation }>("POST", `/v1/clusters/${cluster.id}/restore`, {
    body: { backupId, ...body },
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return api.operationEnd(answer.body.operation.id);
}

const leaderOf = async (): Promise<string | null> =>
  (await api.topology(cluster.id)).shards[0]?.leader ?? null;
const addressOf = (nodeId: string | null): string =>
  cluster.nodes.find(({ id }) => id === nodeId)?.address ?? "";

/** What no user of the cluster may do, as `postgres` on the leader's console. */
async function onPrimary(statement: string, name = "postgres"): Promise<string> {
  const command = `psql -Atc "${statement}" ${name}`;
  return onMachine(addressOf(await leaderOf()), ["su", "postgres", "-s", "/bin/sh", "-c", command]);
}

const newest = async (): Promise<Backup> => {
  const { body } = await api.get<{ items: Backup[] }>(path());
  const backup = body.items.find(({ type, state }) => type === "logical" && state === "succeeded");
  if (backup === undefined) throw new Error("there is no logical backup");
  return backup;
};

describe("a logical backup", () => {
  test("is taken on a replica, holds every database, and leaves the replica as it was", async () => {
    const backup = await take();
    expect(backup).toMatchObject({
      engine: "pg_dump",
      type: "logical",
      logical: { postgresVersion: expect.stringMatching(/^17\./), databases: ["app", "postgres"] },
    });
    expect(backup.nodeId).not.toBe(await leaderOf());
    expect(backup.repositoryBytes).toBeGreaterThan(1024 ** 2);
    expect(backup.repositoryBytes).toBeLessThan(backup.sizeBytes ?? 0);
    const node = addressOf(backup.nodeId);
    const setting = "psql -Atc 'SHOW hot_standby_feedback' postgres";
    expect(await onMachine(node, ["su", "postgres", "-s", "/bin/sh", "-c", setting])).toMatch(/^off/);
    const { body } = await api.get<{ restoreWindow: unknown }>(path());
    expect(body.restoreWindow).toBeNull();
  });

  test("takes little room on the node, and none afterwards", async () => {
    const { backup, operation } = await begin();
    let most = 0;
    await waitFor("the backup ends", takeSeconds, async () => {
      const { nodeId, state } = await find(backup.id);
      if (state !== "pending" && state !== "running") return true;
      if (nodeId === null) return undefined;
      const used = await onMachine(addressOf(nodeId), ["du", "-sm", "/var/lib/pgherd/backup"]);
      most = Math.max(most, Number.parseInt(used, 10));
      return undefined;
    });
    expect((await api.operationEnd(operation.id)).state).toBe("succeeded");
    expect(most).toBeLessThan(spoolMiBMax);
    const { nodeId } = await find(backup.id);
    const left = await onMachine(addressOf(nodeId), [
      "find",
      "/var/lib/pgherd/backup/logical",
      "-name",
      "*.dat*",
    ]);
    expect(left).toBe("");
  });

  test("is there once though every process of the control plane was killed with -9", async () => {
    const { backup, operation } = await begin();
    await waitFor("the backup runs", takeSeconds, async () =>
      (await find(backup.id)).state === "pending" ? undefined : true,
    );
    await environment.killControlPlane();
    await environment.npm("start", "--no-demo");
    const ended = await api.operationEnd(operation.id);
    expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
    expect((await find(backup.id)).state).toBe("succeeded");
  });

  test("takes the place of the oldest where more are there than are kept", async () => {
    const { body } = await api.get<{ items: Backup[] }>(path());
    expect(body.items.filter(({ type }) => type === "logical")).toHaveLength(2);
  });
});

describe("a database of a logical backup", () => {
  test("comes back as it was into one that is not there, and belongs to its owner", async () => {
    const operation = await restore((await newest()).id, { into: { database: { name: "app_copy" } } });
    expect(operation.state, JSON.stringify(operation)).toBe("succeeded");
    const here = sumStatement.replaceAll('"', '\\"').replaceAll("\n", " ");
    expect((await onPrimary(here, "app_copy")).trim()).toBe(sum.trim());
    const position = Number(await onPrimary("SELECT last_value FROM sales.orders_id_seq", "app_copy"));
    expect(position).toBeGreaterThanOrEqual(400_000);
    expect(position).toBeLessThanOrEqual(400_000 + sequenceAheadMax);
    const owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'app_copy'";
    expect((await onPrimary(owner)).trim()).toBe("admin");
    expect((await onPrimary("SELECT count(*) FROM pg_database WHERE datname LIKE 'pgherd%'")).trim()).toBe(
      "0",
    );
  });

  test("is not loaded over what is there", async () => {
    const answer = await api.call<{ code: string }>("POST", `/v1/clusters/${cluster.id}/restore`, {
      body: { backupId: (await newest()).id, into: { database: { name: "app" } } },
    });
    expect([answer.status, answer.body.code]).toEqual([409, "database-not-empty"]);
  });

  test("that cannot be loaded leaves an empty database empty, and says why in PostgreSQL's words", async () => {
    await onPrimary("CREATE ROLE auditor");
    await onPrimary("ALTER TABLE sales.customers OWNER TO auditor", "app");
    const { id } = await take();
    await onPrimary("ALTER TABLE sales.customers OWNER TO admin", "app");
    await onPrimary("DROP OWNED BY auditor", "app");
    await onPrimary("DROP ROLE auditor");
    await onPrimary("CREATE DATABASE empty TEMPLATE template0");
    const operation = await restore(id, { into: { database: { name: "empty" } } });
    expect(operation).toMatchObject({
      state: "failed",
      error: { code: "restore-failed", message: expect.stringContaining("auditor") },
    });
    const tables = "SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'v', 'S')";
    expect((await onPrimary(tables, "empty")).trim()).toBe("0");
    expect(
      (
        await onPrimary("SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text LIKE '%pgherd.load%'")
      ).trim(),
    ).toBe("0");
    await api.call("DELETE", `${path()}/${id}`);
  });

  test("makes a new cluster, also where the old one is gone from every node", async () => {
    const answer = await api.call<{ operation: Operation; cluster: Cluster }>(
      "POST",
      `/v1/clusters/${cluster.id}/restore`,
      { body: { backupId: (await newest()).id, into: { newCluster: { name: "dumped-copy", members: 1 } } } },
    );
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    made.push(answer.body.cluster.id);
    const ended = await api.operationEnd(answer.body.operation.id);
    expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
    await using copy = await Database.of(environment, api, answer.body.cluster.id);
    expect(await copy.sql("readWrite", "admin", sumStatement)).toBe(sum);
    const written = "INSERT INTO sales.customers (name) VALUES ('new') RETURNING id";
    const id = Number(await copy.sql("readWrite", "client", written));
    expect(id).toBeGreaterThan(1000);
    expect(id).toBeLessThanOrEqual(1001 + sequenceAheadMax);
  });
});
