import { DynamoStore } from "@pgherd/layers/aws/store";
import type { Cluster, Problem } from "@pgherd/layers/domain";
import { IdempotencyConflict } from "@pgherd/layers/ports";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type DynamoDB, openDynamoDB } from "../world/dynamodb.ts";
import {
  makeAudit,
  makeCluster,
  makeCreate,
  makeNode,
  makeOperation,
  makeRecord,
  newClusterId,
} from "./support/fixtures.ts";

let database: DynamoDB;
let table: string;
let store: DynamoStore;

beforeAll(async () => {
  database = openDynamoDB();
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  table = await database.createTable();
  store = new DynamoStore(table, database.config);
});

const problem = (code: string) => expect.objectContaining({ name: "Problem", code });

async function create(name: string): Promise<Cluster> {
  const { cluster, start } = makeCreate(name);
  await store.createCluster(cluster, start);
  return cluster;
}

describe("creating a cluster", () => {
  test("writes the cluster with its nodes, the operation and the audit entry", async () => {
    const { cluster, start } = makeCreate("orders");

    await store.createCluster(cluster, start);

    expect(await store.getCluster(cluster.id)).toEqual(cluster);
    expect(await store.getOperation(start.operation.id)).toEqual(start.operation);
    const page = await store.listAuditEntries({ clusterId: cluster.id, limit: 10, cursor: null });
    expect(page.items).toEqual([start.audit]);
    expect(await store.findClusterByName("orders")).toBe(cluster.id);
  });

  test("writes nothing when the name is taken, and says by whom", async () => {
    const first = await create("orders");
    const before = await database.scan(table);
    const second = makeCreate("orders", makeRecord("key"));

    const refused = await store.createCluster(second.cluster, second.start).catch((error: unknown) => error);

    expect(refused).toEqual(problem("name-taken"));
    expect((refused as Problem).message).toContain(first.id);
    expect(await database.scan(table)).toEqual(before);
  });

  test("of two at once with one key makes one, and the other learns that it came second", async () => {
    const creates = [makeCreate("orders", makeRecord("key")), makeCreate("orders", makeRecord("key"))];

    const ends = await Promise.allSettled(creates.map((one) => store.createCluster(one.cluster, one.start)));

    expect(ends.map((end) => end.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(ends.find((end) => end.status === "rejected")?.reason).toBeInstanceOf(IdempotencyConflict);
    expect((await store.listClusters({ limit: 10, cursor: null })).items).toHaveLength(1);
  });

  test("of ten at once with one name makes exactly one", async () => {
    const creates = Array.from({ length: 10 }, () => makeCreate("orders"));

    const ends = await Promise.allSettled(creates.map((one) => store.createCluster(one.cluster, one.start)));

    expect(ends.filter((end) => end.status === "fulfilled")).toHaveLength(1);
    for (const end of ends) {
      if (end.status === "rejected") expect(end.reason).toEqual(problem("name-taken"));
    }
  });

  test("refuses what is not a cluster", async () => {
    const { cluster, start } = makeCreate("orders");
    const broken = { ...cluster, generation: 0 };

    await expect(store.createCluster(broken, start)).rejects.toThrow();

    expect(await database.scan(table)).toEqual([]);
  });
});

describe("a taken key", () => {
  test("is free again when its time is over", async () => {
    await store.putIdempotencyRecord(makeRecord("key", { expiresAt: 1, body: "old" }));
    expect(await store.readIdempotencyRecord("olivia", "key")).toBeNull();

    const next = makeRecord("key", { body: "new" });
    await store.putIdempotencyRecord(next);

    expect(await store.readIdempotencyRecord("olivia", "key")).toEqual(next);
  });

  test("belongs to one principal", async () => {
    await store.putIdempotencyRecord(makeRecord("key"));
    await store.putIdempotencyRecord(makeRecord("key", { principal: "omar" }));

    await expect(store.putIdempotencyRecord(makeRecord("key"))).rejects.toBeInstanceOf(IdempotencyConflict);
  });
});

describe("listing clusters", () => {
  test("pages through all of them, newest first, each with its nodes", async () => {
    const names = Array.from({ length: 23 }, (_, index) => `cluster-${index}`);
    for (const name of names) await create(name);

    const seen: Cluster[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof store.listClusters>> = await store.listClusters({
        limit: 5,
        cursor,
      });
      expect(page.items.length).toBeLessThanOrEqual(5);
      seen.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null);

    expect(seen.map((one) => one.name)).toEqual(names.toReversed());
    expect(new Set(seen.map((one) => one.nodes.length))).toEqual(new Set([3]));
  });

  test("has no next page after the last cluster, also when the page is just full", async () => {
    await create("one");
    await create("two");

    expect((await store.listClusters({ limit: 2, cursor: null })).nextCursor).toBeNull();
    expect((await store.listClusters({ limit: 1, cursor: null })).nextCursor).not.toBeNull();
  });

  test.each(["", "x", "Y2x1c3RlcnMgY2x1XzE", "%%%"])(
    "names `cursor` for the broken cursor %j",
    async (cursor) => {
      const refused = await store.listClusters({ limit: 5, cursor }).catch((error: unknown) => error);

      expect(refused).toEqual(problem("invalid-request"));
      expect((refused as Problem).errors[0]?.path).toBe("cursor");
    },
  );

  test("refuses the cursor of another list", async () => {
    const first = await create("one");
    const operation = makeOperation(first.id);
    const page = await store.listOperations({ limit: 1, cursor: null, clusterId: null });
    expect(operation.clusterId).toBe(first.id);
    await create("two");
    const { nextCursor } = await store.listOperations({ limit: 1, cursor: null, clusterId: null });
    expect(page.nextCursor).toBeNull();

    await expect(store.listClusters({ limit: 1, cursor: nextCursor })).rejects.toEqual(
      problem("invalid-request"),
    );
  });
});

describe("nodes", () => {
  test("written at the same time are all kept, beside the cluster's own changes", async () => {
    const cluster = await create("orders");
    const filled = cluster.nodes.map((node, index) => ({ ...node, address: `198.18.0.${index + 10}` }));

    await Promise.all([
      ...filled.map((node) => store.putNode(cluster.id, node)),
      store.updateClusterStatus(cluster.id, "available", "All members stream."),
    ]);

    const read = await store.getCluster(cluster.id);
    expect(read?.nodes).toEqual(filled);
    expect(read?.status).toBe("available");
  });

  test("can be added to a cluster and removed from it", async () => {
    const cluster = await create("orders");
    const fourth = makeNode();

    await store.putNode(cluster.id, fourth);
    await store.removeNode(cluster.id, cluster.nodes[0]?.id ?? "");

    expect((await store.getCluster(cluster.id))?.nodes).toEqual([...cluster.nodes.slice(1), fourth]);
  });

  test("are not written into a cluster that is gone", async () => {
    const cluster = await create("orders");
    await store.removeCluster(cluster.id);

    await expect(store.putNode(cluster.id, makeNode())).rejects.toEqual(problem("not-found"));
    await expect(store.putAuthorityCertificate(cluster.id, "pem")).rejects.toEqual(problem("not-found"));
  });
});

describe("removing a cluster", () => {
  test("leaves its operations and its audit trail alone, and nothing else", async () => {
    const { cluster, start } = makeCreate("orders");
    await store.createCluster(cluster, start);
    await store.putAuthorityCertificate(cluster.id, "pem");
    await store.endOperation(start.operation.id, { state: "succeeded", endedAt: new Date().toISOString() });

    await store.removeCluster(cluster.id);
    await store.removeCluster(cluster.id);

    expect(await store.getCluster(cluster.id)).toBeNull();
    expect(await store.getAuthorityCertificate(cluster.id)).toBeNull();
    expect(await store.findClusterByName("orders")).toBeNull();
    const left = JSON.stringify(await database.scan(table));
    expect(left).toContain(start.audit.id);
    expect((await database.scan(table)).length).toBe(2);
  });

  test("leaves the name to the cluster that took it after a failed create", async () => {
    const failed = await create("orders");
    await store.releaseName(failed.id);
    await store.releaseName(failed.id);
    const heir = await create("orders");

    await store.releaseName(failed.id);
    await store.removeCluster(failed.id);

    expect(await store.findClusterByName("orders")).toBe(heir.id);
    expect(await store.getCluster(failed.id)).toBeNull();
  });
});

test("the CA certificate is kept beside the cluster and is no part of it", async () => {
  const cluster = await create("orders");

  await store.putAuthorityCertificate(cluster.id, "pem");

  expect(await store.getAuthorityCertificate(cluster.id)).toBe("pem");
  expect(JSON.stringify(await store.getCluster(cluster.id))).not.toContain("pem");
});

test("a status can be given to a cluster that is there only", async () => {
  await expect(store.updateClusterStatus(newClusterId(), "failed", "")).rejects.toEqual(problem("not-found"));
});

test("audit entries page newest first", async () => {
  const { id } = makeCluster("orders");
  const entries = Array.from({ length: 7 }, (_, index) => makeAudit(id, { detail: `${index}` }));
  for (const entry of entries) await store.putAuditEntry(entry);

  const first = await store.listAuditEntries({ clusterId: id, limit: 4, cursor: null });
  const second = await store.listAuditEntries({ clusterId: id, limit: 4, cursor: first.nextCursor });

  expect([...first.items, ...second.items]).toEqual(entries.toReversed());
  expect(second.nextCursor).toBeNull();
});
