import { describe, expect, test } from "vitest";
import { endWhatIsOver } from "../../functions/reconcilers/expirations/expire.ts";
import { passwordParameter, validLogins } from "../../layers/domain/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { crashAlways, crashAt, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";
import { loginFaults } from "../world/paper-maintenance.ts";

const dynamodb = useDynamoDB();

const checkpointsMax = 100;
const atOnce = {
  mode: "at-once",
  names: ["admin", "client", "replicator", "rewind", "monitor", "patroni"],
};
const takeTurns = (until: string) => ({
  mode: "take-turns",
  begin: ["admin_2", "client_2"],
  retiring: { logins: ["admin", "client"], until },
});

async function rotate(plane: ControlPlane, clusterId: string, request: Record<string, never> | object) {
  return plane.write("rotate-credentials", clusterId, {
    status: "available",
    request: JSON.parse(JSON.stringify(request)),
  });
}

async function faults(cloud: Cloud, clusterId: string): Promise<string[]> {
  const cluster = await cloud.ports.store.getCluster(clusterId);
  const database = cloud.machines.maintenance.databases.get(clusterId);
  if (cluster === null || database === undefined) return ["there is no database"];
  return loginFaults(database, cloud.ports.secrets.find, clusterId, validLogins(cluster));
}

const passwordOf = (cloud: Cloud, clusterId: string, name: "admin" | "client" | "patroni") =>
  cloud.ports.secrets.read(passwordParameter("test", clusterId, name));

describe("new passwords at once", () => {
  test("are those of PostgreSQL, of every pooler and of Parameter Store, and nothing is left of the change", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 3 });
    const { clusterId } = operation;
    const before = await passwordOf(cloud, clusterId, "client");
    const ended = await plane.carryOut(await rotate(plane, clusterId, atOnce));
    expect(ended).toMatchObject({ state: "succeeded" });
    expect(await passwordOf(cloud, clusterId, "client")).not.toBe(before);
    expect(await faults(cloud, clusterId)).toEqual([]);
    expect(await inventory(cloud)).toEqual(inventoryOf(3));
    expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({
      status: "available",
      activeOperationId: null,
    });
  });

  test("of one user leave the others as they are", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 1 });
    const { clusterId } = operation;
    const before = await passwordOf(cloud, clusterId, "admin");
    await plane.carryOut(await rotate(plane, clusterId, { mode: "at-once", names: ["client"] }));
    expect(await passwordOf(cloud, clusterId, "admin")).toBe(before);
    expect(await faults(cloud, clusterId)).toEqual([]);
  });

  test("change nothing when no node can change them", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 2 });
    const { clusterId } = operation;
    const before = await passwordOf(cloud, clusterId, "client");
    cloud.machines.behaviours.set("switch-passwords", {
      kind: "fails",
      code: "not-switched",
      message: "the leader did not change the passwords in time",
    });
    const ended = await plane.carryOut(await rotate(plane, clusterId, atOnce));
    expect(ended).toMatchObject({ state: "failed", error: { code: "not-switched" } });
    expect(await passwordOf(cloud, clusterId, "client")).toBe(before);
    cloud.machines.behaviours.clear();
    await plane.carryOut(await rotate(plane, clusterId, atOnce));
    expect(await faults(cloud, clusterId)).toEqual([]);
    expect(await inventory(cloud)).toEqual(inventoryOf(2));
  });
});

describe("logins that take turns", () => {
  test("are valid both until their time is over, and then one is", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 2 });
    const { clusterId } = operation;
    const until = new Date(Date.now() + 3_600_000).toISOString();
    expect(await plane.carryOut(await rotate(plane, clusterId, takeTurns(until)))).toMatchObject({
      state: "succeeded",
    });
    const between = await cloud.ports.store.getCluster(clusterId);
    expect(between).toMatchObject({
      logins: { admin: "admin_2", client: "client_2" },
      retiring: { logins: ["admin", "client"], until },
    });
    expect(await faults(cloud, clusterId)).toEqual([]);

    const world = { store: cloud.ports.store, executions: plane.executions, log: () => undefined };
    await endWhatIsOver({ ...world, now: () => new Date() });
    await plane.settled();
    expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({ retiring: { until } });

    await endWhatIsOver({ ...world, now: () => new Date(Date.parse(until) + 1) });
    await plane.settled();
    expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({
      logins: { admin: "admin_2", client: "client_2" },
      retiring: null,
      activeOperationId: null,
    });
    expect(await faults(cloud, clusterId)).toEqual([]);
    expect(await cloud.ports.secrets.find(passwordParameter("test", clusterId, "admin"))).toBeNull();
    expect(await inventory(cloud)).toEqual(inventoryOf(2));
  });
});

test("a pause ends by itself when its time is over, and not before", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 2 });
  const { clusterId } = operation;
  const since = new Date().toISOString();
  const until = new Date(Date.now() + 60_000).toISOString();
  const pausing = await plane.write("pause-cluster", clusterId, {
    status: "available",
    request: { since, until },
  });
  expect((await plane.carryOut(pausing)).state).toBe("succeeded");
  const paused = await cloud.ports.store.getCluster(clusterId);
  expect(paused).toMatchObject({ status: "available", paused: { since, until } });
  expect(paused?.statusReason).toContain(`until ${until}`);
  expect(cloud.machines.maintenance.databases.get(clusterId)?.paused).toBe(true);

  const world = { store: cloud.ports.store, executions: plane.executions, log: () => undefined };
  await endWhatIsOver({ ...world, now: () => new Date() });
  await plane.settled();
  expect((await cloud.ports.store.getCluster(clusterId))?.paused).not.toBeNull();

  await endWhatIsOver({ ...world, now: () => new Date(Date.parse(until)) });
  await plane.settled();
  const resumed = await cloud.ports.store.getCluster(clusterId);
  expect(resumed).toMatchObject({ paused: null, activeOperationId: null });
  expect(resumed?.statusReason).not.toContain("aused");
  expect(cloud.machines.maintenance.databases.get(clusterId)?.paused).toBe(false);
});

test("new certificates come for every node, one node after the other", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 3 });
  const { clusterId } = operation;
  cloud.machines.done.length = 0;
  const rotating = await plane.write("rotate-certificates", clusterId, { status: "available" });
  expect((await plane.carryOut(rotating)).state).toBe("succeeded");
  const verbs = cloud.machines.done.map((line) => line.split(" "));
  expect(verbs.map(([verb]) => verb)).toEqual([
    ...["renew-key", "configure", "renew-key", "configure", "renew-key", "configure"],
  ]);
  expect(new Set(verbs.map(([, nodeId]) => nodeId)).size).toBe(3);
});

describe.each(sides)("a control plane that dies %s a checkpoint", (side) => {
  test("of a change of passwords, at whichever: every login works with what Parameter Store says", async () => {
    await using cloud = await openCloud(dynamodb);
    const setup = new ControlPlane(cloud);
    const { operation } = await setup.create({ name: "orders", members: 2 });
    const { clusterId } = operation;
    for (let number = 1; ; number++) {
      expect(number).toBeLessThan(checkpointsMax);
      const plane = new ControlPlane(cloud);
      const written = await rotate(plane, clusterId, atOnce);
      const count = crashAt(plane, number, side);
      const ended = await plane.carryOut(written);
      expect({ number, state: ended.state }).toEqual({ number, state: "succeeded" });
      expect({ number, faults: await faults(cloud, clusterId) }).toEqual({ number, faults: [] });
      if (count.crashes === 0) break;
    }
    expect(await inventory(cloud)).toEqual(inventoryOf(2));
  });

  test("of logins that take turns, at every one of them: both are valid", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 2 });
    const { clusterId } = operation;
    const written = await rotate(plane, clusterId, takeTurns(new Date().toISOString()));
    crashAlways(plane, side);
    expect((await plane.carryOut(written)).state).toBe("succeeded");
    expect(await faults(cloud, clusterId)).toEqual([]);
  });
});
