import { DynamoStore } from "@pgherd/layers/aws/store";
import { unknownHealth } from "@pgherd/layers/domain";
import type { HealthUpdate } from "@pgherd/layers/ports";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DynamoDB, openDynamoDB } from "../world/dynamodb.ts";
import { toldCluster } from "../world/told-cluster.ts";
import { makeAudit, makeCreate, makeOperation, newClusterId } from "./support/fixtures.ts";

let dynamodb: DynamoDB;
let store: DynamoStore;
beforeAll(async () => {
  dynamodb = openDynamoDB();
  store = new DynamoStore(await dynamodb.createTable(), dynamodb.config);
});
afterAll(() => dynamodb[Symbol.asyncDispose]());

async function makeAvailable(name: string): Promise<string> {
  const { cluster, start } = makeCreate(name);
  await store.createCluster(cluster, start);
  await store.endOperation(start.operation.id, {
    state: "succeeded",
    endedAt: new Date().toISOString(),
    cluster: { status: "available", statusReason: "well" },
  });
  return cluster.id;
}

function degraded(clusterId: string, nodeId: string): HealthUpdate {
  return {
    status: "degraded",
    statusReason: "Node 1 does not answer.",
    drift: [{ nodeId: null, what: "patroni", path: "ttl", detail: "differs" }],
    record: {
      findings: [`node-silent ${nodeId}`],
      leaders: { 0: { nodeId, timeline: 3 } },
      certificatesUntil: null,
      archivedUntil: null,
      lastBackups: { full: "2026-01-01T02:00:03.000Z" },
      silentSince: { [nodeId]: new Date().toISOString() },
    },
    events: [makeAudit(clusterId, { action: "cluster-degraded" })],
  };
}

test("a judgement is written whole: status, drift, what is remembered and its events", async () => {
  const clusterId = await makeAvailable("judged");
  const nodeId = (await store.getCluster(clusterId))?.nodes[0]?.id ?? "";
  expect(await store.readHealth(clusterId)).toEqual(unknownHealth);
  const update = degraded(clusterId, nodeId);
  expect(await store.updateHealth(clusterId, update)).toBe(true);
  expect(await store.getCluster(clusterId)).toMatchObject({
    status: "degraded",
    statusReason: update.statusReason,
    drift: update.drift,
  });
  expect((await store.getCluster(clusterId))?.nodes).toHaveLength(3);
  expect(await store.readHealth(clusterId)).toEqual(update.record);
  const { items } = await store.listAuditEntries({ clusterId, limit: 1, cursor: null });
  expect(items).toEqual(update.events);
});

test("a cluster that an operation holds is not judged, and nothing of the judgement is written", async () => {
  const clusterId = await makeAvailable("held");
  const operation = makeOperation(clusterId, { kind: "converge-cluster" });
  await store.startOperation(
    { operation, audit: makeAudit(clusterId), idempotency: null },
    { status: "available", statusReason: "still" },
  );
  expect(await store.updateHealth(clusterId, degraded(clusterId, "nod_1"))).toBe(false);
  expect(await store.getCluster(clusterId)).toMatchObject({ status: "available", statusReason: "still" });
  expect(await store.readHealth(clusterId)).toEqual(unknownHealth);
});

test("a cluster that is not meant to be up is not judged", async () => {
  const clusterId = await makeAvailable("stopped-one");
  await store.updateClusterStatus(clusterId, "stopped", "as asked");
  expect(await store.updateHealth(clusterId, degraded(clusterId, "nod_1"))).toBe(false);
  expect(await store.getCluster(clusterId)).toMatchObject({ status: "stopped", drift: [] });
});

test("what is remembered of many clusters is read at once, and of those unknown nothing is known", async () => {
  const clusterId = await makeAvailable("one-of-many");
  const update = degraded(clusterId, "nod_1");
  await store.updateHealth(clusterId, update);
  const { metrics } = toldCluster();
  if (metrics === null) throw new Error("the cluster was not looked at");
  await store.putMetrics(clusterId, metrics);
  // More than DynamoDB takes in one call.
  const others = Array.from({ length: 120 }, newClusterId);
  const looks = await store.readLastLooks([...others, clusterId]);
  expect(looks.size).toBe(121);
  expect(looks.get(clusterId)).toEqual({ record: update.record, metrics });
  for (const id of others) expect(looks.get(id)).toEqual({ record: unknownHealth, metrics: null });
});

test("what was remembered goes with the cluster", async () => {
  const clusterId = await makeAvailable("goes");
  await store.updateHealth(clusterId, degraded(clusterId, "nod_1"));
  await store.removeCluster(clusterId);
  expect(await store.readHealth(clusterId)).toEqual(unknownHealth);
  expect(await store.updateHealth(clusterId, degraded(clusterId, "nod_1"))).toBe(false);
});
