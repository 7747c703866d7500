import { expect, test, vi } from "vitest";
import { reconcileStuckOperations } from "../../functions/reconcilers/stuck-operations/reconcile.ts";
import type { Executions } from "../../layers/ports/index.ts";
import { newId } from "../../layers/runtime/ids.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { expectUnwound, inventory, inventoryOf } from "../world/expectations.ts";
import { SimulatedCrash } from "../world/in-process-durable.ts";

const dynamodb = useDynamoDB();

const soonMs = 40_000;
const laterMs = 90_000;
const polling = { timeout: 30_000, interval: 50 };

/** One run of the reconciler, so long after now, and the end of whatever it started. */
async function reconcile(cloud: Cloud, plane: ControlPlane, afterMs = laterMs): Promise<readonly string[]> {
  const started: string[] = [];
  const executions: Executions = {
    ...plane.executions,
    start: async (kind, input) => {
      started.push(input.recovery === undefined ? kind : `${kind} recovery ${input.recovery.attempt}`);
      await plane.executions.start(kind, input);
    },
  };
  await reconcileStuckOperations({
    environment: "test",
    publish: () => undefined,
    store: cloud.ports.store,
    executions,
    now: () => new Date(Date.now() + afterMs),
    log: () => undefined,
  });
  await plane.settled();
  return started;
}

/** Someone stops the execution at its `number`th checkpoint from now; its invocation hears no more. */
function stopAt(plane: ControlPlane, number: number): void {
  let seen = 0;
  plane.hooks.beforeCheckpoint = (info) => {
    seen += 1;
    if (seen !== number) return;
    plane.engine.stop(info.executionArn, null);
    throw new SimulatedCrash("stopped");
  };
}

test("an operation whose execution never started is started, once", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const operation = await plane.writeCreate({ name: "orders", members: 1 });
  expect(await reconcile(cloud, plane, 0)).toEqual([]);
  expect(await reconcile(cloud, plane)).toEqual(["create-cluster"]);
  expect((await plane.read(operation.id)).state).toBe("succeeded");
  expect(await reconcile(cloud, plane)).toEqual([]);
  expect(await inventory(cloud)).toEqual(inventoryOf(1));
});

test("an operation that runs is left alone", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  plane.hooks.beforeCheckpoint = async (info) => {
    if (info.number < 12) return;
    reached.resolve();
    await held.promise;
  };
  const running = plane.carryOut(await plane.writeCreate({ name: "orders", members: 1 }));
  await reached.promise;
  const reconciled = reconcile(cloud, plane);
  held.resolve();
  expect(await reconciled).toEqual([]);
  expect((await running).state).toBe("succeeded");
});

/** No step has begun or ended for so long. */
const idleMs = 61 * 60 * 1000;

test("an operation whose execution runs and gets nowhere is stopped, and then unwound", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  plane.hooks.beforeCheckpoint = (info) => {
    if (info.number < 20) return;
    // Its invocation hangs: nothing more is ever heard of it.
    return new Promise<never>(() => undefined);
  };
  const operation = await plane.writeCreate({ name: "orders", members: 1 });
  const carried = plane.carryOut(operation);
  await expect.poll(async () => (await plane.read(operation.id)).steps.length, polling).toBeGreaterThan(0);
  expect(await reconcile(cloud, plane)).toEqual([]);
  expect(plane.engine.list("create-cluster")).toMatchObject([{ status: "RUNNING" }]);
  expect(await reconcile(cloud, plane, idleMs)).toEqual([]);
  expect(plane.engine.list("create-cluster")).toMatchObject([{ status: "STOPPED" }]);
  await carried;
  delete plane.hooks.beforeCheckpoint;
  expect(await reconcile(cloud, plane)).toEqual(["create-cluster recovery 1"]);
  expectUnwound(await plane.read(operation.id), { state: "failed", message: /execution ended \(stopped\)/ });
  expect(await cloud.leftovers()).toEqual([]);
});

test.each([1, 6, 12, 20, 30])(
  "a create whose execution is stopped at checkpoint %i is unwound",
  async (number) => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    stopAt(plane, number);
    const operation = await plane.writeCreate({ name: "orders", members: 2 });
    await plane.carryOut(operation);
    expect((await plane.read(operation.id)).endedAt).toBeNull();
    expect(await reconcile(cloud, plane, soonMs)).toEqual([]);
    expect(await reconcile(cloud, plane)).toEqual(["create-cluster recovery 1"]);
    expectUnwound(await plane.read(operation.id), {
      state: "failed",
      message: /execution ended \(stopped\)/,
    });
    expect(await cloud.leftovers()).toEqual([]);
    expect((await cloud.ports.store.getCluster(operation.clusterId))?.status).toBe("failed");
  },
);

test("a create that was verified when it lost its execution is available, not unwound", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const store = { ...cloud.ports.store, endOperation: async () => Promise.reject(new Error("lost")) };
  const broken = new ControlPlane(cloud, { ...cloud.ports, store });
  const operation = await plane.writeCreate({ name: "orders", members: 1 });
  await expect(broken.carryOut(operation)).rejects.toThrow(/lost/);
  expect(await reconcile(cloud, plane)).toEqual(["create-cluster recovery 1"]);
  expect((await plane.read(operation.id)).state).toBe("succeeded");
  expect((await cloud.ports.store.getCluster(operation.clusterId))?.status).toBe("available");
  expect(await inventory(cloud)).toEqual(inventoryOf(1));
});

test("a delete whose execution is stopped goes on to its end", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name: "orders", members: 1 });
  stopAt(plane, 5);
  const written = await plane.writeDelete(operation.clusterId);
  await plane.carryOut(written);
  expect(await reconcile(cloud, plane)).toEqual(["delete-cluster recovery 1"]);
  expect((await plane.read(written.id)).state).toBe("succeeded");
  expect(await cloud.leftovers()).toEqual([]);
});

test("an operation whose recoveries all fail is given up and its name is free", async () => {
  await using cloud = await openCloud(dynamodb);
  const store = { ...cloud.ports.store, endOperation: async () => Promise.reject(new Error("lost")) };
  const plane = new ControlPlane(cloud, { ...cloud.ports, store });
  cloud.machines.behaviours.set("verify", { kind: "fails", code: "broken", message: "broken" });
  const operation = await plane.writeCreate({ name: "orders", members: 1 });
  await expect(plane.carryOut(operation)).rejects.toThrow(/lost/);
  for (let attempt = 1; attempt <= 5; attempt++) {
    expect(await reconcile(cloud, plane)).toEqual([`create-cluster recovery ${attempt}`]);
  }
  expect(await reconcile(cloud, plane)).toEqual([]);
  expect(await plane.read(operation.id)).toMatchObject({
    state: "failed",
    error: { code: "execution-lost" },
  });
  expect(await cloud.ports.store.findClusterByName("orders")).toBeNull();
  expect(await cloud.ports.store.getCluster(operation.clusterId)).toMatchObject({
    status: "failed",
    activeOperationId: null,
  });
});

test("an operation on a cluster that was there before is given up without the cluster", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const { cluster } = await plane.create({ name: "orders", members: 1 });
  if (cluster === null) throw new Error("the cluster was not made");
  const written = await plane.writeDelete(cluster.id);
  await cloud.ports.store.endOperation(written.id, {
    state: "cancelled",
    endedAt: new Date().toISOString(),
    cluster: { status: "available", statusReason: "" },
  });
  const operation = { ...written, id: newId("operation"), kind: "converge-cluster" as const };
  const audit = { ...auditOf(cluster.id), operationId: operation.id };
  await cloud.ports.store.startOperation(
    { operation, audit, idempotency: null },
    { status: "updating", statusReason: "" },
  );
  const endedAt = new Date();
  const publish = vi.fn();
  await reconcileStuckOperations({
    environment: "test",
    publish,
    store: cloud.ports.store,
    executions: {
      start: () => Promise.reject(new Error("nothing more is to be started")),
      stop: () => Promise.reject(new Error("nothing is to be stopped")),
      find: async () => ({ state: "ended", outcome: "timed_out", endedAt }),
    },
    now: () => new Date(Date.now() + laterMs),
    log: () => undefined,
  });
  const message = expect.stringMatching(
    /timed_out\. What was done stays done; starting the same again goes on/,
  );
  expect(await plane.read(operation.id)).toMatchObject({ state: "failed", error: { message } });
  expect(await cloud.ports.store.getCluster(cluster.id)).toMatchObject({
    status: "degraded",
    activeOperationId: null,
    statusReason: message,
  });
  expect(await cloud.ports.store.findClusterByName("orders")).toBe(cluster.id);
  expect(publish.mock.calls).toEqual([
    [
      { Environment: "test" },
      [{ name: "OperationsFailed", unit: "Count", value: 1 }],
      { clusterId: cluster.id, operationId: operation.id, kind: "converge-cluster" },
    ],
  ]);
});

function auditOf(clusterId: string) {
  return {
    id: newId("audit"),
    clusterId,
    at: new Date().toISOString(),
    action: "converge-cluster",
    principal: "olivia",
    role: "operator",
    sourceAddress: "",
    requestId: "",
    detail: "",
  };
}
