import { DeleteObjectsCommand, type S3Client } from "@aws-sdk/client-s3";
import type { Backup, Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backupBucket, keysIn, s3Client } from "../support/aws.ts";
import { MadeClusters } from "../support/made-clusters.ts";
import { rowsOf, write } from "../support/rows.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

const slowMs = 480_000;
/** The reconciler looks once a minute. */
const removalSeconds = 180;

let cluster: Cluster;
let s3: S3Client;
let bucket: string;
const made = new MadeClusters();

interface Problem {
  readonly code: string;
  readonly detail: string;
}

/** Keys below a cluster's own path. */
const objectsOf = (clusterId: string): Promise<string[]> => keysIn(s3, bucket, `clusters/${clusterId}/`);

beforeAll(async () => {
  s3 = await s3Client(environment);
  bucket = await backupBucket(s3);
  cluster = await made.make("/v1/clusters", { name: "missed", members: 1, storage: { sizeGiB: 2 } });
  await write(cluster.id, "CREATE TABLE kept AS SELECT i FROM generate_series(1, 3) AS i");
}, slowMs);
afterAll(async () => {
  await made.remove();
  s3.destroy();
}, slowMs);

describe("a delete", () => {
  test("takes a final backup, and everything that was committed before it is in the cluster that comes back", {
    timeout: slowMs,
  }, async () => {
    await write(cluster.id, "INSERT INTO kept VALUES (4)");
    const deleted = await api.carryOut("DELETE", `/v1/clusters/${cluster.id}`);
    expect(deleted.steps.find(({ name }) => name === "final-backup")?.detail).toMatch(/bkp_/);
    const gone = await api.get<Problem>(`/v1/clusters/${cluster.id}`);
    expect(gone.status).toBe(404);
    expect(gone.body.detail).toContain("undelete");
    const { body } = await api.get<{ items: (Backup & { keptUntil: string })[] }>(
      `/v1/backups?clusterId=${cluster.id}`,
    );
    expect(body.items.filter(({ state }) => state === "succeeded")).toHaveLength(1);
    expect(Date.parse(body.items[0]?.keptUntil ?? "")).toBeGreaterThan(Date.now());

    const back = await api.carryOut("POST", `/v1/clusters/${cluster.id}/undelete`);
    expect(back.clusterId).toBe(cluster.id);
    const { body: present } = await api.get<Cluster>(`/v1/clusters/${cluster.id}`);
    expect(present).toMatchObject({ name: "missed", status: "available", spec: cluster.spec });
    expect(await rowsOf(cluster.id, "kept")).toBe("1,2,3,4");
  });
});

test("a cluster that came back goes on archiving, and can be restored to before and after it was away", {
  timeout: slowMs,
}, async () => {
  await write(cluster.id, "INSERT INTO kept VALUES (5)");
  const copy = await made.make(`/v1/clusters/${cluster.id}/restore`, {
    target: "latest",
    into: { newCluster: { name: "missed-later" } },
  });
  expect(await rowsOf(copy.id, "kept")).toBe("1,2,3,4,5");
});

test("a deleted cluster is restored from into a new one while it stays deleted", {
  timeout: slowMs,
}, async () => {
  await api.carryOut("DELETE", `/v1/clusters/${cluster.id}`);
  const copy = await made.make(`/v1/clusters/${cluster.id}/restore`, {
    target: "immediate",
    into: { newCluster: { name: "missed-copy" } },
  });
  expect(await rowsOf(copy.id, "kept")).toBe("1,2,3,4,5");
});

test("a WAL segment that somebody has removed is named before a restore begins", {
  timeout: slowMs,
}, async () => {
  const wal = (await objectsOf(cluster.id))
    .filter((key) => /\/[0-9A-F]{24}-[0-9a-f]{40}/.test(key))
    .toSorted();
  const { body } = await api.get<{ items: Backup[] }>(`/v1/backups?clusterId=${cluster.id}`);
  const first = body.items.filter(({ state }) => state === "succeeded").at(-1);
  const after = wal.filter((key) => (key.split("/").at(-1) ?? "").slice(0, 24) > (first?.walStop ?? ""));
  const [victim = ""] = after;
  await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [{ Key: victim }] } }));
  const refused = await api.call<Problem>("POST", `/v1/clusters/${cluster.id}/restore?dryRun=true`, {
    body: { target: "latest", backupId: first?.id, into: { newCluster: { name: "missed-gap" } } },
  });
  expect([refused.status, refused.body.code]).toEqual([422, "wal-missing"]);
  expect(refused.body.detail).toContain((victim.split("/").at(-1) ?? "").slice(0, 24));
});

test("backups that are not to be kept go with their cluster, and nobody else's", {
  timeout: slowMs,
}, async () => {
  const short = await api.createAvailable({
    name: "short-lived",
    members: 1,
    storage: { sizeGiB: 1 },
    backup: { retainAfterDeleteDays: 0 },
  });
  expect(await objectsOf(short.id)).not.toEqual([]);
  await api.carryOut("DELETE", `/v1/clusters/${short.id}`);
  await waitFor("its objects are gone", removalSeconds, async () =>
    (await objectsOf(short.id)).length === 0 ? true : undefined,
  );
  expect(await objectsOf(cluster.id)).not.toEqual([]);
});
