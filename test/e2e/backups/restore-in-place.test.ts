import type { Cluster, Operation, RestoreTarget, RestoreWindow, Topology } from "@pgherd/layers/domain";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "../support/database.ts";
import { onMachine, postmasterAt } from "../support/machines.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

/** PostgreSQL ends a segment each minute; then it is looked at, and the next look writes it down. */
const windowSeconds = 180;
/** A replica that starts replays what it has, and then streams. */
const followSeconds = 90;
/** Stopping, copying, replaying and cloning on a small machine that others use as well. */
const exchangeMs = 480_000;
/** PgBouncer lets a client wait for two minutes. */
const pooledMs = 150_000;

interface Moment {
  readonly time: string;
  readonly lsn: string;
}

let cluster: Cluster;
let database: Database;
/** After the row of that number. */
const moments = new Map<number, Moment>();

const path = (more = ""): string => `/v1/clusters/${cluster.id}${more}`;
const read = async (): Promise<Cluster> => (await api.get<Cluster>(path())).body;
const write = (statement: string): Promise<string> => database.sql("readWrite", "admin", statement);

beforeAll(async () => {
  cluster = await api.createAvailable({ name: "taken-back", members: 3 });
  database = await Database.of(environment, api, cluster.id);
  await write("CREATE TABLE written (i int PRIMARY KEY)");
  await api.carryOut("POST", path("/backups"), { type: "full" });
  for (let row = 1; row <= 5; row += 1) await writeRow(row);
  // A commit after the last moment: a recovery to a moment stops at the next one.
  await write("CREATE TABLE later (i int)");
  const last = moments.get(5)?.time ?? "";
  await waitFor("everything is in the archive", windowSeconds, async () => {
    const { body } = await api.get<{ restoreWindow: RestoreWindow }>(path("/backups"));
    return Date.parse(body.restoreWindow.latest) > Date.parse(last) ? true : undefined;
  });
}, exchangeMs);
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await api.remove(cluster.id);
}, exchangeMs);

async function writeRow(row: number): Promise<void> {
  await write(`INSERT INTO written VALUES (${row}) ON CONFLICT DO NOTHING`);
  const [time = "", lsn = ""] = (
    await write(
      "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), pg_current_wal_lsn()",
    )
  ).split("|");
  moments.set(row, { time, lsn });
}

function at(row: number): Moment {
  const moment = moments.get(row);
  if (moment === undefined) throw new Error(`row ${row} was not written`);
  return moment;
}

const restoreBody = (target: RestoreTarget, more: object = {}) => ({ target, into: "in-place", ...more });
const begin = (target: RestoreTarget, more: object = {}): Promise<Operation> =>
  api.begin("POST", path("/restore"), restoreBody(target, more));
const restore = (target: RestoreTarget): Promise<Operation> =>
  api.carryOut("POST", path("/restore"), restoreBody(target));

const rows = "SELECT string_agg(i::text, ',' ORDER BY i) FROM written";

async function memberStates(): Promise<string[] | undefined> {
  const { shards } = await api.topology(cluster.id);
  return shards[0]?.members.map(({ state }) => state).toSorted();
}

const replicasStream = (): Promise<true> =>
  waitFor("the replicas stream", followSeconds, async () => {
    const streaming = (await memberStates())?.filter((state) => state === "streaming");
    return streaming?.length === 2 ? true : undefined;
  });

/** On the leader, through the pooler, and on every replica. */
async function expectRows(expected: string): Promise<void> {
  expect(await database.sql("readWrite", "admin", rows)).toBe(expected);
  expect(await database.sql("pooled", "admin", rows)).toBe(expected);
  expect(await memberStates()).toEqual(["running", "streaming", "streaming"]);
  for (const { address } of cluster.nodes) expect(await onNode(address ?? "", rows)).toBe(expected);
}

/** As `postgres` on the node's console. */
async function onNode(address: string, statement: string): Promise<string> {
  const command = `psql -Atc "${statement}" app`;
  return (await onMachine(address, ["su", "postgres", "-s", "/bin/sh", "-c", command])).trim();
}

/** What operations have left beside the data, on all nodes. */
async function asideOnNodes(): Promise<string[]> {
  const listed = cluster.nodes.map(async ({ address }) =>
    (await onMachine(address ?? "", ["ls", "/var/lib/pgherd/data/postgres"])).split("\n"),
  );
  return (await Promise.all(listed)).flat().filter((name) => name !== "" && name !== "17");
}

async function switchOver(): Promise<Topology> {
  await api.carryOut("POST", path("/switchover"), {});
  return api.topology(cluster.id);
}

describe("a cluster that is taken back", () => {
  let first: Operation;

  test("has exactly the rows of then on every member, and its clients waited", {
    timeout: exchangeMs,
  }, async () => {
    const { hosts, port, authority, ...login } = database.writerTarget("pooled", "admin");
    const host = hosts[0] ?? "";
    const ssl = { ca: authority ?? "", host };
    const client = new Client({ ...login, host, port, ssl, query_timeout: pooledMs });
    await client.connect();
    try {
      const { id } = await begin({ lsn: at(3).lsn });
      await waitFor("PostgreSQL is stopped", windowSeconds, async () => {
        const { steps } = await api.operation(id);
        return steps.some(({ name, state }) => name === "stop-leader" && state === "succeeded")
          ? true
          : undefined;
      });
      const waited = await client.query<{ rows: string }>("SELECT count(*)::text AS rows FROM written");
      expect(waited.rows[0]?.rows).toBe("3");
      first = await api.operationEnd(id);
    } finally {
      await client.end();
    }
    expect(first.state, JSON.stringify(first)).toBe("succeeded");
    await expectRows("1,2,3");
    expect(await read()).toMatchObject({
      status: "available",
      paused: null,
      kept: { operationId: first.id },
    });
  });

  test("is not taken back again before somebody has decided", async () => {
    const refused = await api.call<{ code: string; detail: string }>("POST", path("/restore"), {
      body: restoreBody({ lsn: at(2).lsn }),
    });
    expect([refused.status, refused.body.code]).toEqual([409, "restore-unconfirmed"]);
    expect(refused.body.detail).toContain(first.id);
  });

  test("archives on, and its backups lead on", { timeout: exchangeMs }, async () => {
    await write("INSERT INTO written VALUES (30)");
    await api.carryOut("POST", path("/backups"), { type: "incr" });
  });

  test("returns to what there was before, without what came since", { timeout: exchangeMs }, async () => {
    await api.carryOut("POST", path(`/restore/${first.id}/rollback`));
    await expectRows("1,2,3,4,5");
    expect((await read()).kept).toBeNull();
    expect(await asideOnNodes()).toEqual([]);
    const again = await api.call<{ code: string }>("POST", path(`/restore/${first.id}/rollback`));
    expect([again.status, again.body.code]).toEqual([409, "nothing-kept"]);
  });

  test("still archives after the next leader has begun a timeline", { timeout: exchangeMs }, async () => {
    await switchOver();
    await write("INSERT INTO written VALUES (6)");
    await api.carryOut("POST", path("/backups"), { type: "incr" });
    await expectRows("1,2,3,4,5,6");
  });

  test("gives a new cluster the moment right after a failover, to the row", {
    timeout: exchangeMs,
  }, async () => {
    const { shards } = await api.topology(cluster.id);
    const leader = cluster.nodes.find(({ id }) => id === shards[0]?.leader);
    process.kill((await postmasterAt(leader?.address ?? "")).pid, "SIGKILL");
    await waitFor("another leads and takes a row", followSeconds, () => writeRow(7).then(() => true));
    await write("INSERT INTO written VALUES (8)");
    const into = { newCluster: { name: "after-failover", members: 1 } };
    const copied = await api.carryOut("POST", path("/restore"), { target: { lsn: at(7).lsn }, into });
    await using copy = await Database.of(environment, api, copied.clusterId);
    expect(await copy.sql("readWrite", "admin", rows)).toBe("1,2,3,4,5,6,7");
    await api.remove(copied.clusterId);
    await replicasStream();
  });

  test("is taken back again by time, and the decision that it was right frees the room", {
    timeout: exchangeMs,
  }, async () => {
    const second = await restore({ time: at(2).time });
    await expectRows("1,2");
    expect((await asideOnNodes()).filter((name) => name === `aside-${second.id}`)).toHaveLength(3);
    await api.carryOut("POST", path(`/restore/${second.id}/confirm`));
    await expectRows("1,2");
    expect((await read()).kept).toBeNull();
    expect(await asideOnNodes()).toEqual([]);
  });

  test("reaches a moment that it was taken back from", { timeout: exchangeMs }, async () => {
    await write("INSERT INTO written VALUES (7)");
    const third = await restore({ time: at(5).time });
    await expectRows("1,2,3,4,5");
    await api.carryOut("POST", path(`/restore/${third.id}/confirm`));
  });

  test("and does not get to its target goes on with what it has, as if nothing had been", {
    timeout: exchangeMs,
  }, async () => {
    const { id } = await begin({ name: "never" }, { unlisted: true });
    const ended = await api.operationEnd(id);
    expect(ended, JSON.stringify(ended)).toMatchObject({
      state: "failed",
      error: { code: "target-not-reached" },
    });
    // Clients are served as soon as there is a leader; the others follow by themselves.
    await replicasStream();
    await expectRows("1,2,3,4,5");
    expect(await read()).toMatchObject({ kept: null, paused: null, activeOperationId: null });
    await write("INSERT INTO written VALUES (8)");
    await write("DELETE FROM written WHERE i = 8");
  });

  test("while every process of the control plane is killed with -9 comes to its end", {
    timeout: exchangeMs,
  }, async () => {
    const { id } = await begin({ lsn: at(3).lsn });
    await waitFor("the data lies aside", windowSeconds, async () => {
      const { steps } = await api.operation(id);
      return steps.some(({ name, state }) => name === "set-aside" && state === "succeeded")
        ? true
        : undefined;
    });
    await environment.killControlPlane();
    await environment.npm("start", "--no-demo");
    const ended = await api.operationEnd(id);
    expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
    await expectRows("1,2,3");
    await api.carryOut("POST", path(`/restore/${id}/confirm`));
  });
});
