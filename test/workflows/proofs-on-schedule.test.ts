import { describe, expect, test } from "vitest";
import { endWhatIsOver } from "../../functions/reconcilers/expirations/expire.ts";
import { beginMissedBackups } from "../../functions/reconcilers/scheduled-backups/reconcile.ts";
import { startScheduledProof } from "../../functions/schedules/start-backup/proofs.ts";
import {
  type AppliedSchedules,
  drillRequestSchema,
  noTimers,
  type Operation,
  type ProofKind,
  wellSentence,
} from "../../layers/domain/index.ts";
import { type Cloud, openCloud, zones } from "../world/cloud.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";
import { makeCluster } from "../world/made-cluster.ts";

const dynamodb = useDynamoDB();

const minuteMs = 60_000;
const log = (): void => undefined;

/** A cluster with a backup, and what looks after it. */
async function open(cloud: Cloud, members = 1) {
  const made = await makeCluster(cloud, { members });
  const { clusterId, plane } = made;
  const { store } = cloud.ports;
  await plane.carryOut(await plane.writeBackup(clusterId));
  const world = { store, executions: plane.executions, zones, now: () => new Date(), log };
  return {
    plane,
    clusterId,
    fire: (kind: ProofKind, at: string) => startScheduledProof(world, clusterId, { kind, at }),
    look: () => beginMissedBackups(world),
    tidy: () => endWhatIsOver(world),
    read: made.read,
    operations: async (): Promise<readonly Operation[]> =>
      (await store.listOperations({ limit: 50, cursor: null, clusterId })).items,
  };
}
type Scene = Awaited<ReturnType<typeof open>>;

/** As if the cluster had had these schedules alone for an hour. */
async function schedule(
  { clusterId, plane }: Scene,
  cloud: Cloud,
  crons: Partial<Record<ProofKind, string>>,
) {
  const since = new Date(Date.now() - 60 * minuteMs).toISOString();
  const one = (cron: string | undefined) => (cron === undefined ? null : { cron, since });
  const schedules: AppliedSchedules = { ...noTimers, drill: one(crons.drill), verify: one(crons.verify) };
  const { store } = cloud.ports;
  const operation = await plane.write("pause-cluster", clusterId, { status: "available" });
  await store.recordOnCluster(clusterId, operation.id, { schedules });
  const cluster = { status: "available", statusReason: wellSentence } as const;
  await store.endOperation(operation.id, { state: "succeeded", endedAt: new Date().toISOString(), cluster });
}

/** Once a day, and so long ago. */
function daily(agoMs: number): { readonly cron: string; readonly at: string } {
  const at = new Date(Math.floor((Date.now() - agoMs) / minuteMs) * minuteMs);
  return { cron: `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`, at: at.toISOString() };
}

describe("the schedule of drills", () => {
  test("proves the newest backup as a call does, once for each time", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    await schedule(scene, cloud, { drill: "0 6 1 * *" });
    const at = "2026-01-01T06:00:00Z";
    expect(await scene.fire("drill", at)).toBe(true);
    expect(await scene.fire("drill", at)).toBe(false);
    await scene.plane.settled();
    expect(await scene.fire("drill", "2026-01-01T06:00:00.000Z")).toBe(false);
    const drills = (await scene.operations()).filter(({ kind }) => kind === "drill-backup");
    expect(drills).toMatchObject([{ state: "succeeded", startedBy: `schedule:${scene.clusterId}-drill` }]);
    expect(await scene.read()).toMatchObject({ lastDrill: { ok: true, operationId: drills[0]?.id } });
  });

  test("that was missed is begun by whoever looks, once", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    const { at, cron } = daily(10 * minuteMs);
    await schedule(scene, cloud, { drill: cron });
    // A drill of before its time is no drill of that time.
    await scene.look();
    await scene.look();
    expect(await scene.fire("drill", at)).toBe(false);
    await scene.plane.settled();
    await scene.look();
    await scene.plane.settled();
    expect((await scene.operations()).filter(({ kind }) => kind === "drill-backup")).toHaveLength(1);
  });

  test("is not begun again where somebody has cancelled it", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    const { at, cron } = daily(10 * minuteMs);
    await schedule(scene, cloud, { drill: cron });
    expect(await scene.fire("drill", at)).toBe(true);
    const [drill] = await scene.operations();
    if (drill === undefined) throw new Error("no drill has begun");
    await scene.plane.requestCancel(drill);
    await scene.plane.settled();
    await scene.look();
    await scene.plane.settled();
    expect((await scene.operations()).filter(({ kind }) => kind === "drill-backup")).toHaveLength(1);
  });

  test("that is no more does nothing", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    await schedule(scene, cloud, {});
    expect(await scene.fire("drill", "2026-01-01T06:00:00Z")).toBe(false);
    expect(await scene.fire("verify", "2026-01-01T06:00:00Z")).toBe(false);
  });
});

describe("a verification", () => {
  test("reads everything on a replica, and says at the cluster what it has found", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud, 3);
    expect(await scene.fire("verify", "2026-01-03T05:00:00Z")).toBe(true);
    await scene.plane.settled();
    const { backupOperationId, lastVerification, nodes, status } = await scene.read();
    expect({ backupOperationId, status }).toEqual({ backupOperationId: null, status: "available" });
    expect(lastVerification).toMatchObject({ ok: true, backups: 1, walSegments: 5, message: null });
    const leader =
      nodes
        .map(({ id }) => id)
        .toSorted()
        .at(-1) ?? "";
    const [begun = ""] = cloud.machines.drills.begun;
    expect(begun).toMatch(/^verify nod_/);
    expect(begun).not.toContain(leader);
  });

  test.each(sides)("comes to the same when the control plane dies %s every checkpoint", async (side) => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    const written = await scene.plane.writeVerification(scene.clusterId);
    crashAlways(scene.plane, side);
    expect(await scene.plane.carryOut(written)).toMatchObject({ state: "succeeded" });
    expect(cloud.machines.drills.begun).toHaveLength(1);
  });

  test("that finds damage fails and says what", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    cloud.machines.drills.damage = "of what is stored, 2 files are missing";
    const operation = await scene.plane.carryOut(await scene.plane.writeVerification(scene.clusterId));
    expect(operation).toMatchObject({ state: "failed", error: { code: "verification-failed" } });
    expect((await scene.read()).lastVerification).toMatchObject({
      ok: false,
      backups: 1,
      message: "of what is stored, 2 files are missing",
    });
  });

  test("that does not come to its end is tried again, and then given up with the reason", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    cloud.machines.drills.verifyFailure = "unable to load info file: S3 is away";
    const operation = await scene.plane.carryOut(await scene.plane.writeVerification(scene.clusterId));
    expect(operation).toMatchObject({
      state: "failed",
      error: { message: expect.stringContaining("S3 is away") },
    });
    expect((await scene.read()).lastVerification).toMatchObject({ ok: false, backups: null });
  });

  test("has the place of a backup", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    const running = await scene.plane.writeVerification(scene.clusterId);
    await expect(scene.plane.writeBackup(scene.clusterId)).rejects.toMatchObject({
      code: "backup-in-progress",
    });
    await scene.plane.carryOut(running);
    await scene.plane.writeBackup(scene.clusterId);
  });
});

describe("what a drill could not remove", () => {
  async function leave(cloud: Cloud, scene: Scene): Promise<Operation> {
    const [backup] = await cloud.ports.store.allBackups(scene.clusterId);
    if (backup === undefined) throw new Error("there is no backup");
    return scene.plane.writeDrill(backup);
  }

  test("is deleted as soon as the drill has ended, with everything, and the next drill can begin", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    const written = await leave(cloud, scene);
    cloud.faults.add({
      service: "ec2",
      action: "DeleteVolume",
      times: 500,
      effect: { kind: "error", code: "UnauthorizedOperation", message: "not now" },
    });
    cloud.machines.drills.corruption = "damaged";
    const operation = await scene.plane.carryOut(written);
    expect(operation).toMatchObject({ state: "failed" });
    expect(operation.error?.message).toContain("removed within minutes");
    cloud.faults.clear();
    await scene.tidy();
    await scene.plane.settled();
    expect(await inventory(cloud)).toEqual(inventoryOf(1));
    const { clusterId } = drillRequestSchema.parse(operation.request).throwAway;
    expect(await cloud.ports.store.getCluster(clusterId)).toBeNull();
    await leave(cloud, scene);
  });

  test("is left alone while the drill runs", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    const written = await leave(cloud, scene);
    await scene.tidy();
    const { clusterId } = drillRequestSchema.parse(written.request).throwAway;
    expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({ activeOperationId: written.id });
  });

  test("of one that was given up is deleted, and the cluster says that the drill has failed", async () => {
    await using cloud = await openCloud(dynamodb);
    const scene = await open(cloud);
    const written = await leave(cloud, scene);
    await cloud.ports.store.endOperation(written.id, {
      state: "failed",
      endedAt: new Date().toISOString(),
      error: { code: "execution-lost", message: "5 executions failed." },
    });
    await scene.tidy();
    await scene.plane.settled();
    expect(await inventory(cloud)).toEqual(inventoryOf(1));
    expect((await scene.read()).lastDrill).toMatchObject({ ok: false, message: "5 executions failed." });
  });
});
