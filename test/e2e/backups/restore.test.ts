import type { Cluster, Operation, RestoreTarget, RestoreWindow } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "../support/database.ts";
import { onMachine } from "../support/machines.ts";
import { MadeClusters } from "../support/made-clusters.ts";
import { rowsOf } from "../support/rows.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

/** PostgreSQL ends a segment each minute; then it is looked at, and the next look writes it down. */
const windowSeconds = 180;
const restoreTimeoutMs = 240_000;

interface Moment {
  readonly time: string;
  readonly lsn: string;
  readonly xid: string;
}

let source: Cluster;
let database: Database;
/** After the row of that number. */
const moments = new Map<number, Moment>();
const restored = new MadeClusters();

beforeAll(async () => {
  source = await api.createAvailable({ name: "undone", members: 1 });
  database = await Database.of(environment, api, source.id);
  const write = (statement: string): Promise<string> => database.sql("readWrite", "admin", statement);
  await write("CREATE TABLE written (i int PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())");
  const { body } = await api.call<{ operation: Operation }>("POST", `/v1/clusters/${source.id}/backups`, {
    body: { type: "full" },
  });
  expect((await api.operationEnd(body.operation.id)).state).toBe("succeeded");
  for (let row = 1; row <= 5; row += 1) {
    const xid = await write(`INSERT INTO written VALUES (${row}) RETURNING pg_current_xact_id()`);
    const [time = "", lsn = ""] = (
      await write(
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), pg_current_wal_lsn()",
      )
    ).split("|");
    moments.set(row, { time, lsn, xid });
  }
  await onPrimary("SELECT pg_create_restore_point('by-hand')");
  const point = await api.call<{ operation: Operation }>("POST", `/v1/clusters/${source.id}/restore-points`, {
    body: { name: "before-drop" },
  });
  expect(point.status, JSON.stringify(point.body)).toBe(202);
  expect((await api.operationEnd(point.body.operation.id)).state).toBe("succeeded");
  await write("DROP TABLE written");
  await onPrimary("SELECT pg_switch_wal()");
  const last = moments.get(5)?.time ?? "";
  await waitFor("everything is in the archive", windowSeconds, async () => {
    const answer = await api.get<{ restoreWindow: RestoreWindow }>(`/v1/clusters/${source.id}/backups`);
    return Date.parse(answer.body.restoreWindow.latest) > Date.parse(last) ? true : undefined;
  });
}, restoreTimeoutMs * 2);
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await Promise.all([restored.remove(), api.remove(source.id)]);
}, restoreTimeoutMs);

/** What no user of the cluster may do, as `postgres` on the node's console. */
function onPrimary(statement: string): Promise<string> {
  const address = source.nodes[0]?.address ?? "";
  return onMachine(address, ["su", "postgres", "-s", "/bin/sh", "-c", `psql -Atc "${statement}" app`]);
}

const at = (row: number): Moment => {
  const moment = moments.get(row);
  if (moment === undefined) throw new Error(`row ${row} was not written`);
  return moment;
};

const restore = (name: string, target: RestoreTarget, more: object = {}): Promise<Operation> =>
  restored.end(`/v1/clusters/${source.id}/restore`, { target, into: { newCluster: { name } }, ...more });

describe("a new cluster has exactly the rows that there were", () => {
  test.each<[string, () => RestoreTarget, object, string]>([
    ["at a time", () => ({ time: at(2).time }), {}, "1,2"],
    ["at an LSN", () => ({ lsn: at(3).lsn }), {}, "1,2,3"],
    ["before a transaction", () => ({ xid: at(4).xid }), { exclusive: true }, "1,2,3"],
    ["at a name, with the table that was dropped after it", () => ({ name: "before-drop" }), {}, "1,2,3,4,5"],
    ["by another name, made by hand", () => ({ name: "by-hand" }), { unlisted: true }, "1,2,3,4,5"],
  ])("%s", { timeout: restoreTimeoutMs }, async (what, target, more, rows) => {
    const name = `undone-${what.replaceAll(/[^a-z]+/g, "-").slice(0, 16)}x`;
    const operation = await restore(name, target(), more);
    expect(operation.state, JSON.stringify(operation)).toBe("succeeded");
    expect(await rowsOf(operation.clusterId, "written")).toBe(rows);
  });
});

test("a target that PostgreSQL does not reach fails the restore and leaves nothing", {
  timeout: restoreTimeoutMs,
}, async () => {
  const operation = await restore("undone-never", { name: "never" }, { unlisted: true });
  expect(operation.state).toBe("failed");
  const { body } = await api.get<Cluster>(`/v1/clusters/${operation.clusterId}`);
  expect(body).toMatchObject({ status: "failed", nodes: [] });
});

test("a time of now, in a run of idle time and not archived yet, is archived first and reached to the row", {
  timeout: restoreTimeoutMs,
}, async () => {
  await database.sql("readWrite", "admin", "CREATE TABLE written AS SELECT 6 AS i");
  const [time = ""] = (
    await database.sql(
      "readWrite",
      "admin",
      "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    )
  ).split("|");
  const operation = await restore("undone-now", { time });
  expect(operation.request).toMatchObject({ archiveFirst: "must" });
  expect(operation.state, JSON.stringify(operation)).toBe("succeeded");
  expect(await rowsOf(operation.clusterId, "written")).toBe("6");
});

test("a dry run says from which backup, how much WAL and about how long", async () => {
  const { status, body } = await api.call<{
    preflight: { backupId: string; walBytes: number; estimate: { seconds: number; basis: string } };
  }>("POST", `/v1/clusters/${source.id}/restore?dryRun=true`, {
    body: { target: { lsn: at(5).lsn }, into: { newCluster: { name: "undone-dry" } } },
  });
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body.preflight.walBytes).toBeGreaterThan(0);
  expect(body.preflight.estimate.seconds).toBeGreaterThan(0);
  expect(body.preflight.estimate.basis).toContain("estimate");
});
