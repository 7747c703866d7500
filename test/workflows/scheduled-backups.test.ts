import { describe, expect, test } from "vitest";
import { ClusterWatch } from "../../functions/reconcilers/cluster-health/watch.ts";
import { beginMissedBackups } from "../../functions/reconcilers/scheduled-backups/reconcile.ts";
import { startScheduledBackup } from "../../functions/schedules/start-backup/start.ts";
import {
  type AppliedSchedules,
  firedScheduleSchema,
  noTimers,
  wellSentence,
} from "../../layers/domain/index.ts";
import type { NodeCommandPort } from "../../layers/ports/index.ts";
import { openCloud, zones } from "../world/cloud.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { type MadeCluster, makeCluster } from "../world/made-cluster.ts";

const dynamodb = useDynamoDB();

const minuteMs = 60_000;
const log = (): void => undefined;

interface Scene extends MadeCluster {
  /** What the function does that the schedules start. */
  fire(scheduledAt: string, kind?: "full" | "diff" | "incr"): Promise<boolean>;
  /** One look of the reconciler, so much later. */
  look(afterMs?: number): Promise<void>;
  /** Everything that was started comes to its end. */
  settle(): Promise<void>;
}

async function open(): Promise<Scene> {
  const made = await makeCluster(await openCloud(dynamodb));
  const { cloud, clusterId, plane } = made;
  const { store } = cloud.ports;
  const worldAt = (afterMs: number) => ({
    store,
    executions: plane.executions,
    zones,
    now: () => new Date(Date.now() + afterMs),
    log,
  });
  return {
    ...made,
    fire: (at, kind = "full") => startScheduledBackup(worldAt(0), clusterId, { kind, at, attempt: 0 }),
    look: (afterMs = 0) => beginMissedBackups(worldAt(afterMs)),
    settle: () => plane.settled(),
  };
}

/** As if the cluster had been made so long ago, with these schedules alone. */
async function schedule(
  { clusterId, cloud, plane }: Scene,
  crons: { readonly full?: string; readonly incr?: string },
  sinceMs: number,
): Promise<void> {
  const since = new Date(Date.now() - sinceMs).toISOString();
  const one = (cron: string | undefined) => (cron === undefined ? null : { cron, since });
  const schedules: AppliedSchedules = { ...noTimers, full: one(crons.full), incr: one(crons.incr) };
  const operation = await plane.write("pause-cluster", clusterId, { status: "available" });
  await cloud.ports.store.recordOnCluster(clusterId, operation.id, { schedules });
  await cloud.ports.store.endOperation(operation.id, {
    state: "succeeded",
    endedAt: new Date().toISOString(),
    cluster: { status: "available", statusReason: wellSentence },
  });
}

/** Once a day, and so long ago. */
function daily(agoMs: number): { readonly cron: string; readonly at: string } {
  const at = new Date(Math.floor((Date.now() - agoMs) / minuteMs) * minuteMs);
  return { cron: `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`, at: at.toISOString() };
}

describe("a schedule that fires", () => {
  const at = "2026-01-04T02:00:00Z";

  test("takes the backup that a call takes, and says which schedule it was", async () => {
    await using scene = await open();
    expect(await scene.fire(at)).toBe(true);
    await scene.settle();
    const [backup] = await scene.backups();
    const startedBy = `schedule:${scene.clusterId}-full`;
    expect(backup).toMatchObject({ state: "succeeded", type: "full", startedBy });
    const { ports } = scene.cloud;
    expect(await ports.store.getOperation(backup?.operationId ?? "")).toMatchObject({
      kind: "backup-cluster",
      state: "succeeded",
      startedBy,
      request: { backupId: backup?.id },
    });
    const { items } = await ports.store.listAuditEntries({
      clusterId: scene.clusterId,
      limit: 5,
      cursor: null,
    });
    expect(items).toContainEqual(
      expect.objectContaining({
        action: "backup-cluster",
        principal: startedBy,
        detail: "Take a full backup, as the schedule of full ones says for 2026-01-04T02:00:00Z.",
      }),
    );
  });

  test("twice for the same time takes one backup, however the time is written", async () => {
    await using scene = await open();
    const fired = await Promise.all([at, at, "2026-01-04T02:00:00.000Z"].map((time) => scene.fire(time)));
    expect(fired.toSorted()).toEqual([false, false, true]);
    await scene.settle();
    expect(await scene.fire(at)).toBe(false);
    await scene.settle();
    expect(await scene.backups()).toHaveLength(1);
  });

  test("for another time, or of another kind, takes another one", async () => {
    await using scene = await open();
    for (const [time, kind] of [
      [at, "full"],
      ["2026-01-11T02:00:00Z", "full"],
      [at, "incr"],
    ] as const) {
      expect(await scene.fire(time, kind)).toBe(true);
      await scene.settle();
    }
    expect((await scene.backups()).map(({ type }) => type)).toEqual(["full", "full", "incr"]);
  });

  test("beside another backup, or where the cluster stands still, begins nothing and forgets nothing", async () => {
    await using scene = await open();
    const running = await scene.plane.writeBackup(scene.clusterId);
    expect(await scene.fire(at)).toBe(false);
    await scene.plane.carryOut(running);
    const { store } = scene.cloud.ports;
    await store.updateClusterStatus(scene.clusterId, "stopped", "");
    expect(await scene.fire(at)).toBe(false);
    await store.updateClusterStatus(scene.clusterId, "available", "");
    expect(await scene.fire(at)).toBe(true);
    await scene.settle();
  });

  test("for a cluster or a schedule that is no more does nothing", async () => {
    await using scene = await open();
    await schedule(scene, { incr: "0 2 * * *" }, 0);
    expect(await scene.fire(at, "full")).toBe(false);
    await scene.plane.delete(scene.clusterId);
    expect(await scene.fire(at, "incr")).toBe(false);
    expect(await scene.backups()).toEqual([]);
  });

  test("tells the function what it understands", async () => {
    await using scene = await open();
    const sunday = Date.parse("2100-01-03T02:00:00Z");
    await scene.cloud.scheduler.look(sunday - 1);
    await scene.cloud.scheduler.look(sunday);
    const [fired = ""] = scene.cloud.fired;
    const [target, ...payload] = fired.split(" ");
    expect(target).toBe("start-backup");
    expect(firedScheduleSchema.parse(JSON.parse(payload.join(" ")))).toEqual({
      clusterId: scene.clusterId,
      kind: "full",
      scheduledAt: "2100-01-03T02:00:00Z",
    });
  });
});

describe("a backup that was due", () => {
  test("and was missed is begun, once, also where its schedule fires after all", async () => {
    await using scene = await open();
    const { at, cron } = daily(10 * minuteMs);
    await schedule(scene, { full: cron }, 60 * minuteMs);
    await scene.look();
    await scene.look();
    expect(await scene.fire(at)).toBe(false);
    await scene.settle();
    await scene.look();
    await scene.settle();
    expect(await scene.backups()).toMatchObject([
      { state: "succeeded", startedBy: `schedule:${scene.clusterId}-full` },
    ]);
  });

  test("a moment ago is left to its schedule", async () => {
    await using scene = await open();
    await schedule(scene, { full: daily(minuteMs).cron }, 60 * minuteMs);
    await scene.look();
    expect(await scene.backups()).toEqual([]);
  });

  test("and met another one is begun when that has ended", async () => {
    await using scene = await open();
    const { at, cron } = daily(10 * minuteMs);
    await schedule(scene, { full: cron }, 60 * minuteMs);
    const running = await scene.plane.writeBackup(scene.clusterId, "incr");
    expect(await scene.fire(at)).toBe(false);
    await scene.look();
    expect(await scene.backups()).toHaveLength(1);
    await scene.plane.requestCancel(running);
    await scene.plane.carryOut(running);
    await scene.look();
    await scene.settle();
    expect(await scene.backups()).toMatchObject([
      { type: "incr", state: "cancelled" },
      { type: "full", state: "succeeded" },
    ]);
  });

  test("and failed is tried again after a while, and as often as it takes", async () => {
    await using scene = await open();
    const { backups } = scene.cloud.machines;
    await schedule(scene, { full: daily(10 * minuteMs).cron }, 60 * minuteMs);
    backups.objection = () => "S3 says AccessDenied";
    await scene.look();
    await scene.settle();
    await scene.look(10 * minuteMs);
    await scene.settle();
    expect(await scene.backups()).toMatchObject([{ state: "failed" }]);
    await scene.look(16 * minuteMs);
    await scene.settle();
    expect(await scene.backups()).toMatchObject([{ state: "failed" }, { state: "failed" }]);
    backups.objection = () => null;
    await scene.look(40 * minuteMs);
    await scene.settle();
    await scene.look(80 * minuteMs);
    await scene.settle();
    expect((await scene.backups()).map(({ state }) => state)).toEqual(["failed", "failed", "succeeded"]);
  });

  test("and was cancelled stays so until it is due again", async () => {
    await using scene = await open();
    await schedule(scene, { full: daily(10 * minuteMs).cron }, 60 * minuteMs);
    scene.cloud.machines.backups.looksNeeded = 100_000;
    await scene.look();
    const [backup] = await scene.backups();
    const operation = await scene.plane.read(backup?.operationId ?? "");
    await scene.plane.requestCancel(operation);
    await scene.settle();
    await scene.look(30 * minuteMs);
    expect(await scene.backups()).toMatchObject([{ state: "cancelled" }]);
  });

  test("by two kinds at the same time is one, the greater of both", async () => {
    await using scene = await open();
    const { cron } = daily(10 * minuteMs);
    await schedule(scene, { full: cron, incr: cron }, 60 * minuteMs);
    for (let count = 0; count < 3; count += 1) {
      await scene.look();
      await scene.settle();
    }
    expect(await scene.backups()).toMatchObject([{ type: "full", state: "succeeded" }]);
  });
});

test("a cluster of before there were schedules gets those of its spec", async () => {
  await using scene = await open();
  const { cloud, plane, clusterId } = scene;
  const claim = await plane.write("pause-cluster", clusterId, { status: "available" });
  await cloud.ports.store.recordOnCluster(clusterId, claim.id, { schedules: null });
  await cloud.ports.store.endOperation(claim.id, {
    state: "succeeded",
    endedAt: new Date().toISOString(),
    cluster: { status: "available", statusReason: wellSentence },
  });
  const executions: string[] = [];
  await beginMissedBackups({
    store: cloud.ports.store,
    executions: { start: async (kind) => void executions.push(kind) },
    zones,
    now: () => new Date(),
    log,
  });
  expect(executions).toEqual(["converge-cluster"]);
  const { activeOperationId } = await scene.read();
  expect(await plane.read(activeOperationId ?? "")).toMatchObject({ request: { isRecordOnly: true } });
});

describe("the status of a cluster", () => {
  /** Every node is well. */
  const well =
    ({ cloud, clusterId }: Scene): NodeCommandPort["run"] =>
    async (_target, verb) => {
      const nodes = (await cloud.ports.store.getCluster(clusterId))?.nodes ?? [];
      const self = {
        revision: null,
        services: {},
        disk: { totalBytes: 100, usedBytes: 10 },
        wal: { bytes: 1, readyCount: 0, oldestReadySeconds: null, archivedUntil: null },
        connections: null,
        certificateNotAfter: new Date(Date.now() + 300 * 24 * 60 * minuteMs).toISOString(),
        nowMs: Date.now(),
        drift: [],
        patroniVersion: "4.0.7",
        wrapper: true,
      };
      const members = nodes.map(({ id }) => ({
        nodeId: id,
        role: "leader",
        state: "running",
        timeline: 1,
        lagBytes: null,
        pendingRestart: false,
      }));
      const dcs = {
        quorum: true,
        members: nodes.map(({ id }) => ({ nodeId: id, healthy: true, leader: true })),
      };
      const survey = { observation: { members, dcs }, neighbours: [], self };
      // The verbs that get here are these two; TypeScript does not narrow V by the verb.
      return (verb === "inspect" ? self : survey) as never;
    };

  const watchOf = (scene: Scene) => {
    const { compute, store } = scene.cloud.ports;
    const world = { environment: "test", store, compute, commands: { run: well(scene) }, log };
    const publish = (): void => undefined;
    return new ClusterWatch({ ...world, publish, now: () => new Date() }, { confirmMs: 0 });
  };

  test("says that a backup is late, why, and in an event, until one is taken", async () => {
    await using scene = await open();
    const { backups } = scene.cloud.machines;
    const { at, cron } = daily(70 * minuteMs);
    await schedule(scene, { full: cron }, 120 * minuteMs);
    backups.objection = () => "S3 says AccessDenied";
    await scene.look();
    await scene.settle();
    const watch = watchOf(scene);
    await watch.round();
    await watch.round();
    const degraded = await scene.read();
    expect(degraded.status).toBe("degraded");
    expect(degraded.statusReason).toContain(
      `No full backup has been taken since one was due at ${at}: a try has failed with: `,
    );
    expect(degraded.statusReason).toContain("S3 says AccessDenied");
    backups.objection = () => null;
    await scene.look(20 * minuteMs);
    await scene.settle();
    // What the watch knows of backups is a minute old at most.
    for (let round = 0; round < 12; round += 1) await watch.round();
    expect(await scene.read()).toMatchObject({ status: "available", statusReason: wellSentence });
    const { items } = await scene.cloud.ports.store.listAuditEntries({
      clusterId: scene.clusterId,
      limit: 50,
      cursor: null,
    });
    const told = items.map(({ action }) => action).filter((action) => action.startsWith("cluster-"));
    expect(told).toEqual(["cluster-recovered", "cluster-degraded"]);
  });

  test("remembers a backup that was taken and has been deleted since", async () => {
    await using scene = await open();
    await schedule(scene, { incr: daily(70 * minuteMs).cron }, 120 * minuteMs);
    await scene.look();
    await scene.settle();
    const watch = watchOf(scene);
    await watch.round();
    const [backup] = await scene.backups();
    await scene.cloud.ports.store.removeBackup(scene.clusterId, backup?.id ?? "");
    await scene.look();
    for (let round = 0; round < 12; round += 1) await watch.round();
    expect(await scene.read()).toMatchObject({ status: "available" });
    expect(await scene.backups()).toEqual([]);
  });
});
