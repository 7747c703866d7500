import { DynamoStore } from "@pgherd/layers/aws/store";
import type { Cluster, Operation, OperationStep, Problem } from "@pgherd/layers/domain";
import { IdempotencyConflict } from "@pgherd/layers/ports";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type DynamoDB, openDynamoDB } from "../world/dynamodb.ts";
import {
  makeAudit,
  makeCreate,
  makeNode,
  makeOperation,
  makeRecord,
  newClusterId,
  newOperationId,
} from "./support/fixtures.ts";

let database: DynamoDB;
let table: string;
let store: DynamoStore;
let cluster: Cluster;
let creating: Operation;

const problem = (code: string) => expect.objectContaining({ name: "Problem", code });
const deleting = { status: "deleting", statusReason: "The cluster is being deleted." } as const;

beforeAll(async () => {
  database = openDynamoDB();
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  table = await database.createTable();
  store = new DynamoStore(table, database.config);
  const made = makeCreate("orders");
  cluster = made.cluster;
  creating = made.start.operation;
  await store.createCluster(cluster, made.start);
});

const end = (operationId: string, state: "succeeded" | "failed" = "succeeded") =>
  store.endOperation(operationId, { state, endedAt: new Date().toISOString() });

function startOf(idempotencyKey: string | null = null) {
  const operation = makeOperation(cluster.id, { kind: "delete-cluster" });
  const idempotency = idempotencyKey === null ? null : makeRecord(idempotencyKey);
  return { operation, audit: makeAudit(cluster.id, { operationId: operation.id }), idempotency };
}

const step = (name: string, change: Partial<OperationStep> = {}): OperationStep => ({
  name,
  state: "running",
  startedAt: new Date().toISOString(),
  endedAt: null,
  ...change,
});

describe("starting an operation", () => {
  test("is refused while another one runs, which it names, and writes nothing", async () => {
    const before = await database.scan(table);

    const refused = await store.startOperation(startOf("key"), deleting).catch((error: unknown) => error);

    expect(refused).toEqual(problem("operation-in-progress"));
    expect((refused as Problem).message).toContain(creating.id);
    expect(await database.scan(table)).toEqual(before);
  });

  test("claims the cluster and gives it its status", async () => {
    await end(creating.id);
    const start = startOf();

    await store.startOperation(start, { ...deleting, expectedGeneration: 1 });

    const read = await store.getCluster(cluster.id);
    expect(read).toMatchObject({ ...deleting, activeOperationId: start.operation.id });
  });

  test("writes a new spec and new nodes with it: the generation grows by one", async () => {
    await end(creating.id);
    const spec = { ...cluster.spec, members: 4 };
    const node = makeNode("local-1a");
    const claim = { ...deleting, expectedGeneration: 1, spec, nodes: [node] };

    await store.startOperation(startOf(), claim);

    expect(await store.getCluster(cluster.id)).toMatchObject({
      spec,
      generation: 2,
      nodes: [...cluster.nodes, node],
    });
  });

  test("at another generation leaves spec and nodes alone", async () => {
    await end(creating.id);
    const before = await database.scan(table);
    const spec = { ...cluster.spec, members: 4 };
    const claim = { ...deleting, expectedGeneration: 2, spec, nodes: [makeNode("local-1a")] };

    await expect(store.startOperation(startOf(), claim)).rejects.toEqual(problem("precondition-failed"));

    expect(await database.scan(table)).toEqual(before);
  });

  test("of ten at once claims the cluster once", async () => {
    await end(creating.id);

    const ends = await Promise.allSettled(
      Array.from({ length: 10 }, () => store.startOperation(startOf(), deleting)),
    );

    expect(ends.filter((one) => one.status === "fulfilled")).toHaveLength(1);
    for (const one of ends) {
      if (one.status === "rejected") expect(one.reason).toEqual(problem("operation-in-progress"));
    }
  });

  test("is refused at another generation, and for a cluster that is not there", async () => {
    await end(creating.id);

    await expect(store.startOperation(startOf(), { ...deleting, expectedGeneration: 2 })).rejects.toEqual(
      problem("precondition-failed"),
    );
    await store.removeCluster(cluster.id);
    await expect(store.startOperation(startOf(), deleting)).rejects.toEqual(problem("not-found"));
  });

  test("a second time with one key is a conflict of keys, not of operations", async () => {
    await end(creating.id);
    await store.startOperation(startOf("key"), deleting);

    await expect(store.startOperation(startOf("key"), deleting)).rejects.toBeInstanceOf(IdempotencyConflict);
  });
});

describe("changing the spec while an operation holds the cluster", () => {
  test("grows the generation once, however often it is done", async () => {
    const spec = { ...cluster.spec, members: 5 };

    await store.changeSpec(cluster.id, creating.id, spec);
    await store.changeSpec(cluster.id, creating.id, spec);

    expect(await store.getCluster(cluster.id)).toMatchObject({ spec, generation: 2 });
  });

  test("is refused to an operation that does not hold it", async () => {
    const before = await database.scan(table);
    const spec = { ...cluster.spec, members: 5 };

    await expect(store.changeSpec(cluster.id, newOperationId(), spec)).rejects.toEqual(
      problem("operation-in-progress"),
    );
    await expect(store.changeSpec(newClusterId(), creating.id, spec)).rejects.toEqual(problem("not-found"));

    expect(await database.scan(table)).toEqual(before);
  });
});

describe("steps", () => {
  test("written at the same time are all kept, in the order in which they were first seen", async () => {
    await store.updateStep(creating.id, step("security-group"));
    const names = Array.from({ length: 12 }, (_, index) => `node-${index}`);

    await Promise.all([
      ...names.map((name) => store.updateStep(creating.id, step(name))),
      store.updateStep(creating.id, step("security-group", { state: "succeeded" })),
    ]);

    const read = await store.getOperation(creating.id);
    expect(read?.steps[0]).toMatchObject({ name: "security-group", state: "succeeded" });
    expect(read?.steps.map((one) => one.name).toSorted()).toEqual(["security-group", ...names].toSorted());
  });

  test("of one name written at the same time become one step", async () => {
    await Promise.all(Array.from({ length: 5 }, () => store.updateStep(creating.id, step("verify"))));

    expect((await store.getOperation(creating.id))?.steps).toHaveLength(1);
  });

  test("planned ahead keep their order and make the progress", async () => {
    const operation = makeOperation(cluster.id, {
      kind: "delete-cluster",
      steps: ["one", "two", "three", "four"].map((name) => step(name, { state: "pending", startedAt: null })),
    });
    await end(creating.id);
    await store.startOperation({ operation, audit: makeAudit(cluster.id), idempotency: null }, deleting);
    expect((await store.getOperation(operation.id))?.progress).toBe(0);

    await store.updateStep(operation.id, step("two", { state: "succeeded", detail: "3 addresses" }));

    const read = await store.getOperation(operation.id);
    expect(read?.steps.map((one) => one.name)).toEqual(["one", "two", "three", "four"]);
    expect(read?.steps[1]?.detail).toBe("3 addresses");
    expect(read?.progress).toBe(0.25);
  });

  test("of an operation that is not there are refused", async () => {
    await expect(store.updateStep(newOperationId(), step("one"))).rejects.toEqual(problem("not-found"));
  });
});

describe("ending an operation", () => {
  test("frees the cluster, keeps the error and happens once", async () => {
    await store.endOperation(creating.id, {
      state: "failed",
      error: { code: "capacity", message: "no room" },
      endedAt: "2026-01-01T00:00:00.000Z",
    });
    await end(creating.id, "succeeded");

    const read = await store.getOperation(creating.id);
    expect(read).toMatchObject({
      state: "failed",
      error: { code: "capacity", message: "no room" },
      endedAt: "2026-01-01T00:00:00.000Z",
    });
    expect((await store.getCluster(cluster.id))?.activeOperationId).toBeNull();
  });

  test("works for a cluster that is gone and leaves the cluster alone that another operation holds", async () => {
    await end(creating.id);
    const second = startOf();
    await store.startOperation(second, deleting);
    await end(creating.id);
    expect((await store.getCluster(cluster.id))?.activeOperationId).toBe(second.operation.id);

    await store.removeCluster(cluster.id);
    await end(second.operation.id);

    expect((await store.getOperation(second.operation.id))?.state).toBe("succeeded");
    expect(await store.listOpenOperations(null)).toEqual([]);
  });

  test("makes a succeeded operation's progress 1", async () => {
    await end(creating.id);

    expect((await store.getOperation(creating.id))?.progress).toBe(1);
  });
});

describe("an operation's start", () => {
  test("happens once, stays when it runs already, and is refused after its end", async () => {
    await store.markOperationRunning(creating.id);
    await store.markOperationRunning(creating.id);
    expect((await store.getOperation(creating.id))?.state).toBe("running");

    await end(creating.id);
    await expect(store.markOperationRunning(creating.id)).rejects.toEqual(problem("operation-ended"));
    await expect(store.markOperationRunning(newOperationId())).rejects.toEqual(problem("not-found"));
  });
});

test("an operation's start names the steps to come, once", async () => {
  await store.markOperationRunning(creating.id, ["volumes", "instances"]);
  await store.updateStep(creating.id, step("volumes", { state: "succeeded" }));
  await store.markOperationRunning(creating.id, ["volumes", "instances"]);

  const read = await store.getOperation(creating.id);
  expect(read?.steps.map(({ name, state }) => [name, state])).toEqual([
    ["volumes", "succeeded"],
    ["instances", "pending"],
  ]);
  expect(read?.progress).toBe(0.5);
});

test("an operation's end gives its cluster a status, and only while it holds the cluster", async () => {
  const failed = { status: "failed", statusReason: "No zone has room." } as const;
  await store.endOperation(creating.id, {
    state: "failed",
    endedAt: new Date().toISOString(),
    cluster: failed,
  });
  expect(await store.getCluster(cluster.id)).toMatchObject({ ...failed, activeOperationId: null });

  const second = startOf();
  await store.startOperation(second, deleting);
  await store.endOperation(creating.id, {
    state: "failed",
    endedAt: new Date().toISOString(),
    cluster: failed,
  });
  expect(await store.getCluster(cluster.id)).toMatchObject(deleting);
});

describe("cancelling", () => {
  test("sets the flag, leaves a trace and remembers the answer", async () => {
    const audit = makeAudit(cluster.id, { action: "cancel-operation" });

    const cancelled = await store.requestCancel(creating.id, audit, makeRecord("key"));

    expect(cancelled.cancelRequested).toBe(true);
    expect(cancelled.state).toBe("pending");
    const page = await store.listAuditEntries({ clusterId: cluster.id, limit: 1, cursor: null });
    expect(page.items).toEqual([audit]);
    expect(await store.readIdempotencyRecord("olivia", "key")).not.toBeNull();
    await expect(store.requestCancel(creating.id, audit, makeRecord("key"))).rejects.toBeInstanceOf(
      IdempotencyConflict,
    );
  });

  test("is refused after the end and for an operation that is not there", async () => {
    await end(creating.id);

    await expect(store.requestCancel(creating.id, makeAudit(cluster.id), null)).rejects.toEqual(
      problem("operation-ended"),
    );
    await expect(store.requestCancel(newOperationId(), makeAudit(cluster.id), null)).rejects.toEqual(
      problem("not-found"),
    );
  });
});

describe("listing operations", () => {
  test("pages newest first, of all clusters or of one", async () => {
    const ids: string[] = [creating.id];
    for (let index = 0; index < 6; index++) {
      const made = makeCreate(`other-${index}`);
      await store.createCluster(made.cluster, made.start);
      ids.push(made.start.operation.id);
    }
    await end(creating.id);
    const own = startOf();
    await store.startOperation(own, deleting);
    ids.push(own.operation.id);

    const first = await store.listOperations({ limit: 5, cursor: null, clusterId: null });
    const second = await store.listOperations({ limit: 5, cursor: first.nextCursor, clusterId: null });
    expect([...first.items, ...second.items].map((one) => one.id)).toEqual(ids.toReversed());
    expect(second.nextCursor).toBeNull();

    const ofOne = await store.listOperations({ limit: 5, cursor: null, clusterId: cluster.id });
    expect(ofOne.items.map((one) => one.id)).toEqual([own.operation.id, creating.id]);
    expect((await store.listOperations({ limit: 5, cursor: null, clusterId: newClusterId() })).items).toEqual(
      [],
    );
  });

  test("that have not ended are found for the reconcilers, oldest first", async () => {
    const made = makeCreate("other");
    await store.createCluster(made.cluster, made.start);
    await store.markOperationRunning(made.start.operation.id);

    expect((await store.listOpenOperations(null)).map((one) => one.id)).toEqual([
      creating.id,
      made.start.operation.id,
    ]);
    expect(await store.listOpenOperations("delete-cluster")).toEqual([]);
    await end(creating.id);
    expect((await store.listOpenOperations("create-cluster")).map((one) => one.id)).toEqual([
      made.start.operation.id,
    ]);
  });
});
