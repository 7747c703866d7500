import { type Backup, type Cluster, drillRequestSchema, type Operation } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backupBucket, keysIn, s3Client } from "../support/aws.ts";
import { leftovers } from "../support/leftovers.ts";
import { write } from "../support/rows.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

const slowMs = 480_000;
/** A schedule fires within its minute, and what it starts takes about another one. */
const firedSeconds = 300;
/** A status is looked at every few seconds. */
const statusSeconds = 60;
const rows = 1000;

let cluster: Cluster;
let backup: Backup;

const path = (more = "") => `/v1/clusters/${cluster.id}${more}`;
const read = async (): Promise<Cluster> => (await api.get<Cluster>(path())).body;
const readBackup = async (): Promise<Backup> => (await api.get<Backup>(path(`/backups/${backup.id}`))).body;

async function drill(tables: readonly string[]): Promise<Operation> {
  const begun = await api.begin("POST", path(`/backups/${backup.id}/drill`), { tables });
  return api.operationEnd(begun.id);
}

async function expectNothingLeft(operation: Operation): Promise<void> {
  const { clusterId } = drillRequestSchema.parse(operation.request).throwAway;
  expect((await api.get(`/v1/clusters/${clusterId}`)).status).toBe(404);
  expect(await leftovers(environment, clusterId)).toEqual({});
  const s3 = await s3Client(environment);
  const keys = await keysIn(s3, await backupBucket(s3), `clusters/${clusterId}/`);
  s3.destroy();
  expect(keys).toEqual([]);
}

beforeAll(async () => {
  cluster = await api.createAvailable({ name: "proven", members: 1, storage: { sizeGiB: 2 } });
  await write(
    cluster.id,
    `CREATE TABLE counted AS SELECT i FROM generate_series(1, ${rows}) AS i; CREATE INDEX ON counted (i)`,
  );
  const taken = await api.carryOut("POST", path("/backups"), { type: "full" });
  const id = String(taken.request?.["backupId"]);
  backup = (await api.get<Backup>(path(`/backups/${id}`))).body;
}, slowMs);
afterAll(() => api.remove(cluster.id), slowMs);

describe("a drill", () => {
  test("restores the backup, checks it, says how long it took, and leaves nothing behind", {
    timeout: slowMs,
  }, async () => {
    const operation = await drill(["public.counted"]);
    expect(operation.state, JSON.stringify(operation)).toBe("succeeded");
    const { lastDrill } = await readBackup();
    expect(lastDrill, JSON.stringify(lastDrill)).toMatchObject({
      ok: true,
      operationId: operation.id,
      checks: {
        amcheck: { ok: true },
        checksums: { ok: true, detail: expect.stringMatching(/^\d+ pages/) },
        tables: [{ table: "public.counted", rows, ok: true }],
      },
    });
    expect(lastDrill?.restoreSeconds).toBeGreaterThan(0);
    const { measuredRecovery, status } = await read();
    expect(status).toBe("available");
    expect(measuredRecovery).toMatchObject({
      backupId: backup.id,
      restoreSeconds: lastDrill?.restoreSeconds,
    });
    await expectNothingLeft(operation);
  });

  test("that fails is told by the status until one succeeds, and leaves nothing behind either", {
    timeout: slowMs,
  }, async () => {
    const failed = await drill(["public.lost"]);
    expect(failed).toMatchObject({ state: "failed", error: { code: "drill-failed" } });
    await expectNothingLeft(failed);
    const degraded = await waitFor("the status says so", statusSeconds, async () => {
      const { status, statusReason } = await read();
      return status === "degraded" ? statusReason : undefined;
    });
    expect(degraded).toMatch(/^The last drill, of backup bkp_\S+ at \S+, has failed: .*public\.lost/);
    expect((await drill([])).state).toBe("succeeded");
    await waitFor("the status goes back", statusSeconds, async () =>
      (await read()).status === "available" ? true : undefined,
    );
  });
});

test("drills and verifications come by themselves as the spec says", { timeout: slowMs * 2 }, async () => {
  const since = new Date().toISOString();
  await api.carryOut("PATCH", path(), {
    backup: { drill: { cron: "* * * * *", tables: ["public.counted"] }, verify: { cron: "* * * * *" } },
  });
  expect((await read()).schedules).toMatchObject({
    drill: { next: { length: 3 } },
    verify: { next: { length: 3 } },
  });
  const { lastDrill, lastVerification } = await waitFor("both have come", firedSeconds, async () => {
    const present = await read();
    const isNew = (one: { readonly at: string } | null): boolean => one !== null && one.at > since;
    return isNew(present.lastDrill) && isNew(present.lastVerification) ? present : undefined;
  });
  await api.carryOut("PATCH", path(), { backup: { drill: null, verify: null } });
  expect(lastDrill, JSON.stringify(lastDrill)).toMatchObject({ ok: true });
  expect(lastVerification, JSON.stringify(lastVerification)).toMatchObject({ ok: true, message: null });
  expect(lastVerification?.backups).toBeGreaterThan(0);
  const operation = await api.operation(lastDrill?.operationId ?? "");
  expect(operation.startedBy).toBe(`schedule:${cluster.id}-drill`);
});
