import {
  DeleteScheduleCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
} from "@aws-sdk/client-scheduler";
import { describe, expect, test } from "vitest";
import {
  type Cluster,
  type RestoreSource,
  type Schedules,
  scheduleDefaults,
  scheduleName,
  schedulerExpression,
  verifyCronDefault,
} from "../../layers/domain/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { type Converging, openConverging } from "../world/converging.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";

const dynamodb = useDynamoDB();

/** Name → expression of every schedule that the scheduler has. */
async function scheduled({ operator, ports }: Cloud): Promise<Record<string, string>> {
  const client = new SchedulerClient(operator);
  const { group: GroupName } = ports.settings.schedules;
  const { Schedules = [] } = await client.send(new ListSchedulesCommand({ GroupName }));
  const found = await Promise.all(
    Schedules.map(({ Name }) => client.send(new GetScheduleCommand({ GroupName, Name }))),
  );
  client.destroy();
  return Object.fromEntries(found.map(({ Name, ScheduleExpression }) => [Name, ScheduleExpression ?? ""]));
}

const expressionsOf = (clusterId: string, schedules: Schedules): Record<string, string> =>
  Object.fromEntries(
    Object.entries({ verify: verifyCronDefault, ...schedules }).flatMap(([kind, cron]) =>
      cron === null ? [] : [[scheduleName(clusterId, kind), schedulerExpression(cron)]],
    ),
  );

async function read(cloud: Cloud, clusterId: string): Promise<Cluster> {
  const cluster = await cloud.ports.store.getCluster(clusterId);
  if (cluster === null) throw new Error("there is no cluster");
  return cluster;
}

describe("the schedules of a cluster", () => {
  test("are made with it as its spec says, and are on record since then", async () => {
    await using cloud = await openCloud(dynamodb);
    const before = Date.now();
    const { cluster } = await new ControlPlane(cloud).create({
      name: "orders",
      members: 1,
      backup: { schedules: { diff: null, incr: "*/30 * * * *" } },
    });
    const wanted = { full: scheduleDefaults.full, diff: null, incr: "*/30 * * * *", logical: null };
    expect(await scheduled(cloud)).toEqual(expressionsOf(cluster?.id ?? "", wanted));
    expect(cluster?.schedules).toMatchObject({ full: { cron: wanted.full }, diff: null });
    expect(Date.parse(cluster?.schedules?.incr?.since ?? "")).toBeGreaterThanOrEqual(before);
  });

  test("go with it, and those of others stay", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 1 });
    const { operation: other } = await plane.create({ name: "invoices", members: 1 });
    await plane.delete(operation.clusterId);
    expect(await scheduled(cloud)).toEqual(expressionsOf(other.clusterId, scheduleDefaults));
    expect(await inventory(cloud)).toEqual(inventoryOf(1));
  });

  test.each(sides)(
    "are the same when the control plane dies %s every checkpoint of a create",
    async (side) => {
      await using cloud = await openCloud(dynamodb);
      const plane = new ControlPlane(cloud);
      const operation = await plane.writeCreate({ name: "orders", members: 1 });
      crashAlways(plane, side);
      expect(await plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
      expect(await scheduled(cloud)).toEqual(expressionsOf(operation.clusterId, scheduleDefaults));
    },
  );

  test("are a restored cluster's own, as its spec says", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 1 });
    await plane.carryOut(await plane.writeBackup(operation.clusterId));
    const [backup] = await cloud.ports.store.allBackups(operation.clusterId);
    const source: RestoreSource = {
      clusterId: operation.clusterId,
      shard: 0,
      backupId: backup?.id ?? "",
      label: backup?.label ?? "",
      target: "latest",
      exclusive: false,
    };
    const restored = await plane.carryOut(
      await plane.writeCreate(
        { name: "orders-before", members: 1, backup: { schedules: { full: "0 5 * * *" } } },
        { kind: "restore-cluster", request: source },
      ),
    );
    expect(restored.state).toBe("succeeded");
    expect(await scheduled(cloud)).toEqual({
      ...expressionsOf(operation.clusterId, scheduleDefaults),
      ...expressionsOf(restored.clusterId, { ...scheduleDefaults, full: "0 5 * * *" }),
    });
  });

  test("begin anew with a cluster that was stopped: what was due meanwhile has not been missed", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { cluster } = await plane.create({ name: "orders", members: 1 });
    const { id, schedules } = cluster ?? (await read(cloud, ""));
    await plane.carryOut(await plane.write("stop-cluster", id, { status: "stopping" }));
    const started = new Date().toISOString();
    await plane.carryOut(await plane.write("start-cluster", id, { status: "starting" }));
    const after = await read(cloud, id);
    expect(after.schedules?.full?.cron).toBe(schedules?.full?.cron);
    expect(Date.parse(after.schedules?.full?.since ?? "")).toBeGreaterThanOrEqual(Date.parse(started));
    expect(await scheduled(cloud)).toEqual(expressionsOf(id, scheduleDefaults));
  });
});

describe("a change of the spec", () => {
  async function change(world: Converging, schedules: Partial<Schedules>, request = { isRecordOnly: true }) {
    const { spec } = await world.read();
    const backup = { ...spec.backup, schedules: { ...spec.backup.schedules, ...schedules } };
    const operation = await world.converge({ backup }, request);
    expect({ state: operation.state, error: operation.error }).toEqual({ state: "succeeded" });
    return backup.schedules;
  }

  test("changes the schedules, removes those that are null, and asks no node", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 1 });
    const before = await world.read();
    const schedules = await change(world, { incr: "0 4 * * *", diff: null });
    expect(await scheduled(cloud)).toEqual(expressionsOf(world.clusterId, schedules));
    const after = await world.read();
    expect(after).toMatchObject({
      status: "available",
      schedules: { full: before.schedules?.full, diff: null },
    });
    expect(after.schedules?.incr?.cron).toBe("0 4 * * *");
    expect(after.schedules?.incr?.since).not.toBe(before.schedules?.incr?.since);
    expect(world.paper.done).toEqual([]);
  });

  test("brings one back that was off", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 1, backup: { schedules: { full: null } } });
    const schedules = await change(world, { full: "0 1 * * *" });
    expect(await scheduled(cloud)).toEqual(expressionsOf(world.clusterId, schedules));
  });

  test("of something else leaves them as they are", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 1 });
    const before = await world.read();
    const operation = await world.converge({ tags: { team: "billing" } }, { isRecordOnly: true });
    expect(operation.steps).toEqual([]);
    expect((await world.read()).schedules).toEqual(before.schedules);
  });

  test("that PostgreSQL refuses takes the schedules back with it", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 1, extensions: ["vector"] });
    world.paper.extensions.add("vector");
    world.paper.usedExtensions.add("vector");
    const { spec } = await world.read();
    const backup = { ...spec.backup, schedules: { ...spec.backup.schedules, full: null } };
    const operation = await world.converge({ backup, extensions: [] });
    expect(operation).toMatchObject({ state: "failed", error: { code: "change-refused" } });
    expect(await scheduled(cloud)).toEqual(expressionsOf(world.clusterId, scheduleDefaults));
    expect((await world.read()).schedules?.full?.cron).toBe(scheduleDefaults.full);
  });

  test("of nothing makes one again that somebody has deleted", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 1 });
    const client = new SchedulerClient(cloud.operator);
    const { group: GroupName } = cloud.ports.settings.schedules;
    await client.send(new DeleteScheduleCommand({ GroupName, Name: scheduleName(world.clusterId, "full") }));
    client.destroy();
    await change(world, {}, { isRecordOnly: false });
    expect(await scheduled(cloud)).toEqual(expressionsOf(world.clusterId, scheduleDefaults));
  });

  test("that the scheduler refuses fails with its words, and the next one goes on", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 1 });
    const { spec } = await world.read();
    const backup = { ...spec.backup, schedules: { ...spec.backup.schedules, full: "0 3 * * *" } };
    cloud.faults.add({
      service: "scheduler",
      action: "UpdateSchedule",
      times: 50,
      effect: { kind: "error", code: "ServiceQuotaExceededException", message: "too many schedules" },
    });
    const failed = await world.converge({ backup }, { isRecordOnly: true });
    expect(failed).toMatchObject({
      state: "failed",
      error: { message: expect.stringContaining("too many") },
    });
    cloud.faults.clear();
    await change(world, {});
    expect(await scheduled(cloud)).toEqual(expressionsOf(world.clusterId, backup.schedules));
  });

  test.each(sides)("comes to the same when the control plane dies %s every checkpoint", async (side) => {
    await using cloud = await openCloud(dynamodb);
    const world = await openConverging(cloud, { members: 1 });
    crashAlways(world.plane, side);
    const schedules = await change(world, { incr: null, full: "30 5 1 * *" });
    expect(await scheduled(cloud)).toEqual(expressionsOf(world.clusterId, schedules));
  });
});
