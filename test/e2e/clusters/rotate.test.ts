import { createConnection } from "node:net";
import { connect } from "node:tls";
import { type Cluster, nodePorts } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodePaths } from "../../../layers/domain/config/paths.ts";
import { Database } from "../support/database.ts";
import { calmTransactionsPerSecond, Load, prepareLoad } from "../support/load.ts";
import { onMachine } from "../support/machines.ts";
import { Session } from "../support/sessions.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

const graceSeconds = 60;
/** A reconciler's minute, and the operation that it starts. */
const retiredSeconds = graceSeconds + 120;
const terminationTimeoutMs = 10_000;
const poolerConsole = ["-h", nodePaths.poolerSocket, "-p", String(nodePorts.pooled), "-d", "pgbouncer"];
const showServers = [
  "runuser",
  "-u",
  "pgbouncer",
  "--",
  "psql",
  "-XAt",
  ...poolerConsole,
  "-c",
  "SHOW SERVERS",
];

describe("secrets that are rotated", () => {
  let cluster: Cluster;
  /** As it was before its passwords changed for the first time. */
  let former: Database;

  beforeAll(async () => {
    cluster = await api.createAvailable({ name: "rotator", storage: { sizeGiB: 2 } });
    await using database = await databaseNow();
    await prepareLoad(database);
  });

  afterAll(async () => {
    await former[Symbol.asyncDispose]();
    await api.remove(cluster.id);
  });

  const databaseNow = () => Database.of(environment, api, cluster.id);

  /** Clients that stay connected while `act` happens. @returns what went wrong for them */
  async function complaintsDuring(database: Database, act: () => Promise<void>): Promise<string[]> {
    const addresses = cluster.nodes.flatMap(({ address }) => address ?? []);
    const pace = { protocol: "simple", addresses, transactionsPerSecond: calmTransactionsPerSecond } as const;
    await using pooled = await Load.start(database, { ...pace, endpoint: "pooled" });
    await using proxied = await Load.start(database, { ...pace, endpoint: "readWrite" });
    await act();
    const reports = await Promise.all([pooled.end(), proxied.end()]);
    for (const { transactions } of reports) expect(transactions.length).toBeGreaterThan(0);
    return reports.flatMap(({ complaints }) => complaints);
  }

  async function rotate(body: Record<string, unknown>): Promise<void> {
    await api.carryOut("POST", `/v1/clusters/${cluster.id}/rotate`, body);
  }

  async function worksEverywhere(database: Database): Promise<void> {
    for (const endpoint of ["readWrite", "readOnly", "any", "pooled"] as const) {
      for (const user of ["admin", "client"] as const) {
        const name = database.connection.users[user].name;
        const answer = await waitFor(`${name} logs in through ${endpoint}`, 30, () =>
          database.sql(endpoint, name, "SELECT session_user, current_user"),
        );
        expect(answer).toBe(`${name}|${user}`);
      }
    }
  }

  /** A pooler that has not read yet that its connection has ended would hand it out once more. */
  async function poolersLetGoOf(user: string): Promise<void> {
    const { body } = await api.get<Cluster>(`/v1/clusters/${cluster.id}`);
    for (const { address, id } of body.nodes) {
      await waitFor(`the pooler of ${id} has no connection of ${user}`, 30, async () => {
        const servers = await onMachine(address ?? "", showServers);
        return servers.split("\n").some((line) => line.split("|")[1] === user) ? undefined : true;
      });
    }
  }

  async function streams(): Promise<boolean> {
    const { shards } = await api.topology(cluster.id);
    const states = shards[0]?.members.map((member) => member.state) ?? [];
    return states.filter((state) => state === "running" || state === "streaming").length === 3;
  }

  test("passwords, with time to follow: no login fails, and what the new login makes is the user's", async () => {
    former = await databaseNow();
    const before = former;
    const failures: string[] = [];
    let logins = 0;
    let isOver = false;
    const visits = (async () => {
      while (!isOver) {
        for (const endpoint of ["pooled", "readWrite"] as const) {
          logins += 1;
          await before.sql(endpoint, "client", "SELECT 1").catch((error: unknown) => {
            failures.push(String(error));
          });
        }
      }
    })();
    await rotate({ what: "passwords", graceSeconds });
    await using after = await databaseNow();
    expect(after.connection.users.client.name).toBe("client_2");
    await worksEverywhere(after);
    await after.sql("readWrite", "admin_2", "CREATE TABLE made (id int)");
    expect(
      await after.sql("readWrite", "client_2", "SELECT tableowner FROM pg_tables WHERE tablename = 'made'"),
    ).toBe("admin");
    await after.sql("pooled", "client_2", "INSERT INTO made VALUES (1)");
    isOver = true;
    await visits;
    expect(logins).toBeGreaterThan(2);
    expect(failures).toEqual([]);
  });

  test("certificates: every node shows another one, and no connection is dropped", async () => {
    await using database = await databaseNow();
    const before = await serials(database);
    expect(await complaintsDuring(database, () => rotate({ what: "certificates" }))).toEqual([]);
    const after = await serials(database);
    for (const serial of after) expect(before).not.toContain(serial);
    await worksEverywhere(database);
    expect(await streams()).toBe(true);
  });

  test("the old login ends by itself when its time is over", async () => {
    await waitFor("the old login ends", retiredSeconds, async () => {
      const { body } = await api.get<Cluster>(`/v1/clusters/${cluster.id}`);
      return body.retiring === null && body.activeOperationId === null ? true : undefined;
    });
    await expect(former.sql("readWrite", "client", "SELECT 1")).rejects.toThrow();
    await expect(former.sql("pooled", "client", "SELECT 1")).rejects.toThrow();
    await using after = await databaseNow();
    await worksEverywhere(after);
  });

  test("passwords, at once: open connections live on, the old ones are refused, the new ones work everywhere", async () => {
    await using before = await databaseNow();
    const { name } = before.connection.users.client;
    await using session = new Session(before.uri("pooled", name), before.clientEnvironment);
    expect(await session.ask("SELECT 1")).toBe("1");
    expect(await complaintsDuring(before, () => rotate({ what: "passwords" }))).toEqual([]);
    await using after = await databaseNow();
    await worksEverywhere(after);
    await expect(before.sql("readWrite", name, "SELECT 1")).rejects.toThrow(/password authentication failed/);
    await expect(before.sql("pooled", name, "SELECT 1")).rejects.toThrow(/authentication failed/);
    // The pooler logs in anew for whoever is connected to it since before the change.
    await after.sql(
      "readWrite",
      after.connection.users.admin.name,
      `SELECT count(pg_terminate_backend(pid, ${terminationTimeoutMs})) FROM pg_stat_activity WHERE usename = '${name}'`,
    );
    await poolersLetGoOf(name);
    expect(await session.ask("SELECT 2")).toBe("2");
    expect(await streams()).toBe(true);
  });

  /** Of the certificates that the poolers show: clients reach no other port that shows its own node's. */
  async function serials(database: Database): Promise<string[]> {
    const hosts = cluster.nodes.flatMap((node) => node.address ?? []);
    return Promise.all(
      hosts.map((host) =>
        waitFor(`the pooler of ${host} shows a certificate`, 30, () =>
          serialAt(host, database.connection.caCertificate),
        ),
      ),
    );
  }
});

/** PostgreSQL's way to TLS: the client asks for it with these eight bytes, and "S" is yes. */
const tlsRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

function serialAt(host: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const plain = createConnection({ host, port: nodePorts.pooled, timeout: 5_000 });
    plain.once("connect", () => plain.write(tlsRequest));
    plain.once("error", reject);
    plain.once("timeout", () => plain.destroy(new Error(`${host} does not answer`)));
    plain.once("data", () => {
      const socket = connect({ socket: plain, host, ca }, () => {
        const { serialNumber } = socket.getPeerCertificate();
        socket.destroy();
        resolve(serialNumber);
      });
      socket.once("error", reject);
    });
  });
}
