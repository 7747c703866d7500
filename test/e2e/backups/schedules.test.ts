import { ListSchedulesCommand } from "@aws-sdk/client-scheduler";
import type { Backup, Cluster, Operation, RestoreWindow } from "@pgherd/layers/domain";
import { afterAll, beforeAll, expect, test } from "vitest";
import { schedulerClient } from "../support/aws.ts";
import { onMachine } from "../support/machines.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

/** A schedule fires within its minute; a small backup takes seconds, and a busy machine some more of them. */
const firedSeconds = 180;
/** What is removed is removed by the operation of the backup; the list follows at once. */
const settledSeconds = 30;
/** A schedule of each minute that still fired would have by then. */
const quietMs = 70_000;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await api.createAvailable({
    name: "scheduled",
    members: 1,
    backup: {
      schedules: { full: "0 2 * * 0", diff: null, incr: "* * * * *" },
      retention: { full: 1 },
      verify: null,
    },
  });
});
afterAll(() => api.remove(cluster.id));

const path = () => `/v1/clusters/${cluster.id}`;

async function list(): Promise<{ items: Backup[]; restoreWindow: RestoreWindow | null }> {
  const { body } = await api.get<{ items: Backup[]; restoreWindow: RestoreWindow | null }>(
    `${path()}/backups?limit=100`,
  );
  return body;
}

const scheduled = async (): Promise<Backup[]> =>
  (await list()).items.filter(
    ({ startedBy, state }) => startedBy === `schedule:${cluster.id}-incr` && state === "succeeded",
  );

async function schedulesOf(clusterId: string): Promise<(string | undefined)[]> {
  const client = await schedulerClient(environment);
  const { Schedules = [] } = await client.send(new ListSchedulesCommand({ NamePrefix: clusterId }));
  client.destroy();
  return Schedules.map(({ Name }) => Name);
}

async function archiveMinimum(): Promise<string> {
  const command = "pgbackrest --config=/etc/pgherd/pgbackrest.conf --stanza=main --output=json info";
  const address = cluster.nodes[0]?.address ?? "";
  const info = await onMachine(address, ["su", "postgres", "-s", "/bin/sh", "-c", command]);
  return /"min":"([0-9A-F]+)"/.exec(info)?.[1] ?? "";
}

/** A backup that can begin: one that a schedule has just begun is waited for. */
async function takeFull(): Promise<Backup> {
  const operation = await waitFor("a full backup begins", firedSeconds, async () => {
    const answer = await api.call<{ operation: Operation }>("POST", `${path()}/backups`, {
      body: { type: "full" },
    });
    return answer.status === 202 ? answer.body.operation : undefined;
  });
  const ended = await api.operationEnd(operation.id);
  expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
  const { items } = await list();
  const backup = items.find(({ id }) => id === ended.request?.["backupId"]);
  if (backup === undefined) throw new Error("the backup is not on record");
  return backup;
}

test("a cluster has the schedules of its spec, and says when they come next", async () => {
  expect(await schedulesOf(cluster.id)).toEqual([`${cluster.id}-full`, `${cluster.id}-incr`]);
  const { body } = await api.get<{ schedules: Record<string, { next: string[] } | null> }>(path());
  expect(body.schedules["diff"]).toBeNull();
  expect(body.schedules["full"]?.next).toHaveLength(3);
  const [first = "", second = ""] = body.schedules["incr"]?.next ?? [];
  expect(Date.parse(second) - Date.parse(first)).toBe(60_000);
});

test("a schedule takes backups by itself, one for each of its times", async () => {
  const taken = await waitFor("two scheduled backups", 2 * firedSeconds, async () => {
    const found = await scheduled();
    return found.length >= 2 ? found : undefined;
  });
  const minutes = taken.map(({ startedAt }) => startedAt.slice(0, 16));
  expect(new Set(minutes).size).toBe(minutes.length);
  expect(taken.at(-1)).toMatchObject({ type: "full" });
  expect(taken.at(0)).toMatchObject({ type: "incr" });
});

test("a control plane killed with -9 goes on with its schedules, and takes no backup twice", async () => {
  const before = (await scheduled()).length;
  await environment.killControlPlane();
  await environment.npm("start", "--no-demo");
  const taken = await waitFor("another scheduled backup", firedSeconds, async () => {
    const found = await scheduled();
    return found.length > before ? found : undefined;
  });
  const labels = taken.map(({ label }) => label);
  expect(new Set(labels).size).toBe(labels.length);
});

test("a schedule that is set to null fires no more", async () => {
  await api.carryOut("PATCH", path(), { backup: { schedules: { incr: null } } });
  expect(await schedulesOf(cluster.id)).toEqual([`${cluster.id}-full`]);
  await waitFor("no backup runs", firedSeconds, async () =>
    (await list()).items.some(({ state }) => state === "pending" || state === "running") ? undefined : true,
  );
  const before = (await list()).items.length;
  await new Promise((resolve) => setTimeout(resolve, quietMs));
  expect((await list()).items).toHaveLength(before);
});

test("a full backup takes the place of the one before: with it goes all that needs it, and WAL of before", async () => {
  const minimum = await archiveMinimum();
  const full = await takeFull();
  const left = await waitFor("the others are gone", settledSeconds, async () => {
    const { items } = await list();
    return items.length === 1 ? items : undefined;
  });
  expect(left).toMatchObject([{ id: full.id, state: "succeeded" }]);
  expect((await list()).restoreWindow?.earliest).toBe(full.endedAt);
  const now = await archiveMinimum();
  expect(now > minimum, `${now} after ${minimum}`).toBe(true);
  expect(now <= (full.walStart ?? "").slice(-now.length), `${now} before ${full.walStart}`).toBe(true);
});

test("the schedules go with their cluster", async () => {
  const other = await api.createAvailable({ name: "scheduled-too", members: 1 });
  expect(await schedulesOf(other.id)).toHaveLength(4);
  await api.remove(other.id);
  expect(await schedulesOf(other.id)).toEqual([]);
});
