import type { Backup, Cluster, Operation, RestoreWindow } from "@pgherd/layers/domain";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../support/database.ts";
import { onMachine } from "../support/machines.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

/** Rows of some hundred bytes that do not compress to nothing: a backup takes seconds to copy them. */
const rows = 1_000_000;
const fillStatement = `CREATE TABLE filled AS SELECT i, md5(i::text) || md5((i + 1)::text) AS words FROM generate_series(1, ${rows}) AS i`;
/** PostgreSQL ends a segment each minute; then it is looked at, and the next look writes it down. */
const windowSeconds = 180;
const takeSeconds = 120;

interface Backups {
  readonly items: readonly Backup[];
  readonly restoreWindow: RestoreWindow | null;
}

let cluster: Cluster;
let database: Database;

beforeAll(async () => {
  cluster = await api.createAvailable({ name: "backed-up", members: 2 });
  database = await Database.of(environment, api, cluster.id);
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await api.remove(cluster.id);
});

const path = () => `/v1/clusters/${cluster.id}/backups`;
const list = async (): Promise<Backups> => (await api.get<Backups>(path())).body;
const find = async (id: string): Promise<Backup> => (await api.get<Backup>(`${path()}/${id}`)).body;

async function begin(type: Backup["type"]): Promise<{ backup: Backup; operation: Operation }> {
  const answer = await api.call<{ backup: Backup; operation: Operation }>("POST", path(), { body: { type } });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body;
}

async function take(type: Backup["type"]): Promise<Backup> {
  const { backup, operation } = await begin(type);
  const ended = await api.operationEnd(operation.id);
  expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
  return find(backup.id);
}

const leaderOf = async (): Promise<string | null> => {
  const { body } = await api.get<{ shards: { leader: string | null }[] }>(
    `/v1/clusters/${cluster.id}/topology`,
  );
  return body.shards[0]?.leader ?? null;
};

/** What pgBackRest itself finds in the repository, asked on the node's console. */
async function labelsInRepository(): Promise<string[]> {
  const address = cluster.nodes[0]?.address ?? "";
  const command = "pgbackrest --config=/etc/pgherd/pgbackrest.conf --stanza=main --output=json info";
  const info = await onMachine(address, ["su", "postgres", "-s", "/bin/sh", "-c", command]);
  return [...info.matchAll(/"label":"([^"]+)"/g)].map((match) => match[1] ?? "");
}

test("WAL is in the archive from the first minute", async () => {
  const counts = await database.sql(
    "readWrite",
    "admin",
    "SELECT archived_count > 0, last_archived_wal IS NOT NULL FROM pg_stat_archiver",
  );
  expect(counts).toBe("t|t");
  expect(await list()).toMatchObject({ items: [], restoreWindow: null });
});

test("a full backup and one that builds on it are taken on a replica, and the window reaches on", async () => {
  await database.sql("readWrite", "admin", fillStatement);
  // Autovacuum would change every page of the new table once, sooner or later: here before the first backup.
  await database.sql("readWrite", "admin", "VACUUM (FREEZE) filled");
  const full = await take("full");
  expect(full).toMatchObject({ type: "full", state: "succeeded", label: expect.stringMatching(/F$/) });
  expect(full.nodeId).not.toBe(await leaderOf());
  expect(full.sizeBytes).toBeGreaterThan(50 * 1024 ** 2);
  expect(full.repositoryBytes).toBeLessThan(full.sizeBytes ?? 0);
  const incr = await take("incr");
  expect(incr).toMatchObject({ type: "incr", references: [full.label] });
  expect(incr.repositoryBytes).toBeLessThan((full.repositoryBytes ?? 0) / 2);
  await database.sql("readWrite", "admin", "CREATE TABLE later AS SELECT now()");
  const window = await waitFor("the window moves on", windowSeconds, async () => {
    const { restoreWindow } = await list();
    return Date.parse(restoreWindow?.latest ?? "") > Date.parse(incr.endedAt ?? "")
      ? restoreWindow
      : undefined;
  });
  expect(window?.earliest).toBe(full.endedAt);
  expect((await list()).items.map(({ id }) => id)).toEqual([incr.id, full.id]);
});

test("a switchover goes on beside a backup, and the backup is there afterwards, once", async () => {
  const { backup, operation } = await begin("full");
  const switchover = await api.call<{ operation: Operation }>(
    "POST",
    `/v1/clusters/${cluster.id}/switchover`,
    {
      body: {},
    },
  );
  expect(switchover.status, JSON.stringify(switchover.body)).toBe(202);
  const ended = await api.operationEnd(switchover.body.operation.id);
  expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
  const taken = await api.operationEnd(operation.id);
  expect(taken.state, JSON.stringify(taken)).toBe("succeeded");
  const { label } = await find(backup.id);
  expect((await labelsInRepository()).filter((one) => one === label)).toHaveLength(1);
});

test("every process of the control plane killed with -9 neither loses a backup nor doubles it", async () => {
  const before = await labelsInRepository();
  const { backup, operation } = await begin("full");
  await waitFor("the backup runs", takeSeconds, async () =>
    (await find(backup.id)).state === "pending" ? undefined : true,
  );
  await environment.killControlPlane();
  await environment.npm("start", "--no-demo");
  const ended = await api.operationEnd(operation.id);
  expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
  const after = await labelsInRepository();
  expect(after.filter((label) => !before.includes(label))).toEqual([(await find(backup.id)).label]);
});

test("a backup that others need stays, and one that nobody needs goes", async () => {
  const { items } = await list();
  const incr = items.find(({ type }) => type === "incr");
  const full = items.find(({ label }) => label === incr?.references[0]);
  const refused = await api.call<{ code: string; detail: string }>("DELETE", `${path()}/${full?.id}`);
  expect([refused.status, refused.body.code]).toEqual([409, "backup-needed"]);
  expect(refused.body.detail).toContain(incr?.id);
  for (const backup of [incr, full]) {
    const answer = await api.call<{ operation: Operation }>("DELETE", `${path()}/${backup?.id}`);
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    const ended = await api.operationEnd(answer.body.operation.id);
    expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
    expect(await labelsInRepository()).not.toContain(backup?.label);
  }
});
