import {
  type Cluster,
  completeSpec,
  scheduleDefaults,
  schedulesInForce,
  timersOf,
} from "@pgherd/layers/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
});

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const specOf = (reply: Reply) => (reply.body["cluster"] as Cluster).spec;
const backupOf = (reply: Reply) => specOf(reply).backup;
const create = (backup: unknown, query = "") =>
  world.call("POST", `/v1/clusters${query}`, { role: "operator", body: { name: "invoices", backup } });
const patch = (backup: unknown, query = "") =>
  world.call("PATCH", `/v1/clusters/${cluster.id}${query}`, { role: "operator", body: { backup } });
const restore = (backup: unknown) =>
  world.call("POST", `/v1/clusters/${cluster.id}/restore`, {
    role: "operator",
    body: { target: "latest", into: { newCluster: { name: "again", backup } } },
  });

async function end(reply: Reply): Promise<void> {
  const { id } = reply.body["operation"] as { id: string };
  const available = { status: "available", statusReason: "Every member runs." } as const;
  await world.store.endOperation(id, {
    state: "succeeded",
    endedAt: new Date().toISOString(),
    cluster: available,
  });
}

/** As the defaults say. */
const proofs = { drill: null, verify: { cron: "0 5 * * 6" }, store: null };

describe("the backups of a spec", () => {
  test("are scheduled and kept as the defaults say, unless they are said otherwise", async () => {
    expect(backupOf(await create(undefined))).toEqual({
      schedules: { full: "0 2 * * 0", diff: "0 2 * * 3,6", incr: "0 2 * * 1,2,4,5", logical: null },
      retention: { full: 4, diff: 2, logical: 7 },
      ...proofs,
      retainAfterDeleteDays: 7,
    });
    const other = await worlds.make();
    const body = { name: "invoices", backup: { schedules: { incr: null }, retention: { diff: 7 } } };
    expect(backupOf(await other.call("POST", "/v1/clusters", { body }))).toEqual({
      schedules: { ...scheduleDefaults, incr: null },
      retention: { full: 4, diff: 7, logical: 7 },
      ...proofs,
      retainAfterDeleteDays: 7,
    });
  });

  test("change one by one: a text schedules, null stops, and what is left out stays", async () => {
    const first = await patch({ schedules: { incr: null, full: "0 1 * * 6" }, retention: { full: 9 } });
    expect(first.status, first.text).toBe(202);
    await end(first);
    const second = await patch({ schedules: { diff: "0 3 * * *" } });
    expect(backupOf(second)).toEqual({
      schedules: { full: "0 1 * * 6", diff: "0 3 * * *", incr: null, logical: null },
      retention: { full: 9, diff: 2, logical: 7 },
      ...proofs,
      retainAfterDeleteDays: 7,
    });
    await end(second);
    expect(backupOf(await patch({ retention: { full: null } })).retention).toEqual({
      full: 4,
      diff: 2,
      logical: 7,
    });
  });

  test("go back to their defaults all at once", async () => {
    await end(await patch({ schedules: { incr: null, full: null }, retention: { diff: 1 } }));
    const reply = await world.call("PATCH", `/v1/clusters/${cluster.id}`, { body: { backup: null } });
    expect(backupOf(reply)).toEqual({
      schedules: scheduleDefaults,
      retention: { full: 4, diff: 2, logical: 7 },
      ...proofs,
      retainAfterDeleteDays: 7,
    });
  });

  test("may be sent back as they were read", async () => {
    await end(await patch({ schedules: { incr: null } }));
    const { backup } = (await world.store.getCluster(cluster.id))?.spec ?? {};
    expect(backupOf(await patch(backup))).toEqual(backup);
  });

  test("concern no node, and a dry run says what changes", async () => {
    const dryRun = await patch({ schedules: { full: "0 4 * * 0" } }, "?dryRun=true");
    expect(dryRun).toMatchObject({
      status: 200,
      body: { changes: ["Change when backups are taken."], interrupts: [] },
    });
    expect((await patch({ retention: { full: 5 } }, "?dryRun=true")).body["changes"]).toEqual([]);
    const reply = await patch({ schedules: { full: "0 4 * * 0" } });
    expect(reply.body["operation"]).toMatchObject({ request: { isRecordOnly: true } });
  });

  test("of a restored cluster are those of the one that it comes from, unless they are said otherwise", async () => {
    await world.makeBackup(cluster.id);
    await end(await patch({ schedules: { diff: null } }));
    expect(backupOf(await restore({ schedules: { full: "0 5 * * *" } }))).toMatchObject({
      schedules: { full: "0 5 * * *", diff: null, incr: scheduleDefaults.incr },
    });
  });
});

describe("full backups more often than every 15 minutes", () => {
  const frequent = { schedules: { full: "*/14 * * * *" } };

  test("are refused wherever a spec is said, with the field and what would be right, and nothing changes", async () => {
    await world.makeBackup(cluster.id);
    const before = await world.items();
    for (const [reply, above] of [
      [await create(frequent), ""],
      [await create(frequent, "?dryRun=true"), ""],
      [await patch(frequent), ""],
      [await patch(frequent, "?dryRun=true"), ""],
      [await restore(frequent), "/into/newCluster"],
    ] as const) {
      expect(code(reply), reply.text).toEqual([422, "schedule-too-frequent"]);
      expect(reply.body["errors"]).toEqual([
        {
          path: `${above}/backup/schedules/full`,
          message: expect.stringMatching(/at least 15 minutes .* not 4/),
        },
      ]);
    }
    expect(await world.items()).toEqual(before);
    expect(world.executions.started).toEqual([]);
  });

  test("are a matter of the full ones alone", async () => {
    const reply = await create({
      schedules: { full: "*/15 * * * *", diff: "* * * * *", incr: "*/5 * * * *" },
    });
    expect(reply.status, reply.text).toBe(202);
  });
});

describe("GET cluster", () => {
  test("says the next three times of each schedule that is in force", async () => {
    const since = new Date().toISOString();
    const { spec } = cluster;
    const scheduled = completeSpec(
      { name: "scheduled", backup: { schedules: { full: "0 2 * * *", diff: null } } },
      { instanceType: spec.instanceType, deletionProtection: false },
    );
    const schedules = schedulesInForce(timersOf(scheduled.backup), null, since);
    const { id } = await world.makeAvailable("scheduled", { schedules });
    const reply = await world.call("GET", `/v1/clusters/${id}`, { role: "viewer" });
    const { diff, full } = reply.body["schedules"] as Record<string, { cron: string; next: string[] } | null>;
    expect(diff).toBeNull();
    expect(full).toMatchObject({ cron: "0 2 * * *", since, next: { length: 3 } });
    const times = (full?.next ?? []).map((time) => Date.parse(time));
    for (const [index, time] of times.entries()) {
      expect(new Date(time).toISOString()).toMatch(/T02:00:00\.000Z$/);
      expect(time).toBeGreaterThan(times[index - 1] ?? Date.parse(since));
    }
    const list = await world.call("GET", "/v1/clusters", { role: "viewer" });
    expect(list.body["items"]).toContainEqual(expect.objectContaining({ id, schedules }));
  });

  test("says of one that is not made yet that nothing is in force", async () => {
    expect((await world.call("GET", `/v1/clusters/${cluster.id}`)).body["schedules"]).toBeNull();
  });
});
