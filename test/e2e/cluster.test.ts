import { type Cluster, nodePorts } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "./support/database.ts";
import { waitFor } from "./support/wait.ts";
import { api, environment } from "./support/world.ts";

/** A replica applies a row within milliseconds; this is for a busy machine. */
const replicationSeconds = 10;
/** The contract: an answer is never older than this. */
const topologyAgeMsMax = 2000;

describe("a cluster with the defaults", () => {
  let cluster: Cluster;
  let database: Database;

  beforeAll(async () => {
    cluster = await api.demo();
    database = await Database.of(environment, api, cluster.id);
  });

  afterAll(async () => {
    await database[Symbol.asyncDispose]();
  });

  test("has one node in every zone, each with its own address, volume and instance", () => {
    expect(cluster.status).toBe("available");
    for (const key of ["zone", "address", "volumeId", "instanceId"] as const) {
      expect(new Set(cluster.nodes.map((node) => node[key])).size).toBe(3);
    }
  });

  test("has a leader, a synchronous standby and a healthy DCS in a topology that is live", async () => {
    const { dcs, observedAt, shards } = await api.topology(cluster.id);

    expect(Date.now() - Date.parse(observedAt)).toBeLessThanOrEqual(topologyAgeMsMax + 1000);
    expect(shards[0]?.members.map((member) => member.role).toSorted()).toEqual([
      "leader",
      "replica",
      "sync-standby",
    ]);
    expect(dcs.quorum).toBe(true);
    expect(dcs.members.filter((member) => member.healthy)).toHaveLength(3);
    expect(dcs.members.filter((member) => member.leader)).toHaveLength(1);
  });

  test("takes a row on 5000 and shows it on 5001, 5002 and 6432 over verified TLS", async () => {
    await database.sql(
      "readWrite",
      "admin",
      "CREATE TABLE IF NOT EXISTS seen (id int PRIMARY KEY); INSERT INTO seen VALUES (1) ON CONFLICT DO NOTHING",
    );
    for (const endpoint of ["readOnly", "any", "pooled"] as const) {
      const rows = await waitFor(`the row is seen through ${endpoint}`, replicationSeconds, async () =>
        (await database.sql(endpoint, "client", "SELECT count(*) FROM seen")) === "1" ? 1 : undefined,
      );
      expect(rows).toBe(1);
    }
    expect(
      await database.sql(
        "readWrite",
        "client",
        "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
      ),
    ).toBe("t|TLSv1.3");
  });

  test("tells the leader from replicas by port on every node", async () => {
    for (const node of cluster.nodes) {
      const at = (port: number) =>
        `postgresql://client@${node.address}:${port}/${database.connection.database}?sslmode=verify-full`;
      expect(await database.psql(at(nodePorts.readWrite), "SELECT pg_is_in_recovery()")).toBe("f");
      expect(await database.psql(at(nodePorts.readOnly), "SELECT pg_is_in_recovery()")).toBe("t");
      expect(await database.psql(at(nodePorts.pooled), "SELECT pg_is_in_recovery()")).toBe("f");
    }
  });

  test("refuses connections without TLS, with a wrong password, and of postgres from outside", async () => {
    const uri = database.uri("readWrite", "client");
    await expect(database.psql(uri.replace("verify-full", "disable"), "SELECT 1")).rejects.toThrow();
    await expect(database.psql(uri.replace("client@", "client:wrong-password@"), "SELECT 1")).rejects.toThrow(
      "password authentication failed",
    );
    await expect(database.psql(uri.replace("client@", "postgres:x@"), "SELECT 1")).rejects.toThrow();
  });

  test("lets client use what admin creates, now and later, and create nothing", async () => {
    await database.sql(
      "readWrite",
      "admin",
      "CREATE TABLE IF NOT EXISTS later (id serial PRIMARY KEY, note text)",
    );

    await database.sql("readWrite", "client", "INSERT INTO later (note) VALUES ('mine')");
    await database.sql("readWrite", "client", "UPDATE later SET note = 'changed'");
    await database.sql("readWrite", "client", "DELETE FROM later");

    await expect(database.sql("readWrite", "client", "CREATE TABLE mine (id int)")).rejects.toThrow(
      "permission denied",
    );
    await expect(database.sql("readWrite", "client", "DROP TABLE later")).rejects.toThrow("must be owner");
  });

  test("runs with data checksums, wal_log_hints and a bound on what slots may keep", async () => {
    const settings = await database.sql(
      "readWrite",
      "admin",
      "SELECT name || '=' || setting FROM pg_settings WHERE name IN ('data_checksums', 'wal_log_hints', 'max_slot_wal_keep_size', 'password_encryption') ORDER BY name",
    );
    expect(settings).toMatch(/data_checksums=on/);
    expect(settings).toMatch(/wal_log_hints=on/);
    expect(settings).toMatch(/password_encryption=scram-sha-256/);
    expect(settings).not.toMatch(/max_slot_wal_keep_size=-1/);
  });
});

test("a cluster made to order has its extensions, parameters, database and number of nodes", async () => {
  const cluster = await api.createAvailable({
    name: "made-to-order",
    members: 1,
    database: "ledger",
    durability: "async",
    extensions: ["vector", "pg_trgm"],
    parameters: { work_mem: "7MB", log_min_duration_statement: 500 },
    storage: { sizeGiB: 2 },
    tags: { team: "billing" },
  });
  try {
    expect(cluster.nodes).toHaveLength(1);
    await using database = await Database.of(environment, api, cluster.id);
    expect(database.connection.database).toBe("ledger");
    expect(await database.sql("readWrite", "admin", "SHOW work_mem")).toBe("7MB");
    expect(await database.sql("readWrite", "client", "SELECT '[1,2]'::vector <-> '[1,4]'::vector")).toBe("2");
  } finally {
    expect((await api.remove(cluster.id)).state).toBe("succeeded");
  }
  expect((await api.get(`/v1/clusters/${cluster.id}`)).status).toBe(404);
});
