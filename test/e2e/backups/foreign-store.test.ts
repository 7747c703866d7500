import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { PutParameterCommand } from "@aws-sdk/client-ssm";
import type { Backup, Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { backupBucket, keysIn, s3Client, ssmClient } from "../support/aws.ts";
import { onMachine } from "../support/machines.ts";
import { MadeClusters } from "../support/made-clusters.ts";
import { rowsOf, write } from "../support/rows.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

const slowMs = 480_000;
/** The reconciler looks once a minute. */
const removalSeconds = 180;
const nobodysPort = 9;

const elsewhereSchema = z.object({
  endpoint: z.string(),
  bucket: z.string(),
  region: z.string(),
  pathStyle: z.boolean(),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
});
type Elsewhere = z.infer<typeof elsewhereSchema>;

const rightKey = "/pgherd/local/stores/elsewhere";
const wrongKey = "/pgherd/local/stores/wrong";

let elsewhere: Elsewhere;
let s3: S3Client;
let ownS3: S3Client;
let ownBucket: string;
let cluster: Cluster;
let copy: Cluster;
const made = new MadeClusters();

const keysElsewhere = (clusterId: string) =>
  keysIn(s3, elsewhere.bucket, `pgherd/local/clusters/${clusterId}/`);
const ownKeys = (clusterId: string) => keysIn(ownS3, ownBucket, `clusters/${clusterId}/`);

/** As the spec has it. */
function store(change: Partial<Record<string, unknown>> = {}): Record<string, unknown> {
  const { bucket, endpoint, pathStyle, region } = elsewhere;
  return { bucket, endpoint, pathStyle, region, credentialsParameter: rightKey, ...change };
}

async function giveKey(name: string, secretAccessKey: string): Promise<void> {
  const ssm = await ssmClient(environment);
  const { accessKeyId } = elsewhere;
  const Value = JSON.stringify({ accessKeyId, secretAccessKey });
  await ssm.send(new PutParameterCommand({ Name: name, Type: "SecureString", Value, Overwrite: true }));
  ssm.destroy();
}

beforeAll(async () => {
  const text = await readFile(join(environment.stateDirectory, "foreign-store.json"), "utf8");
  elsewhere = elsewhereSchema.parse(JSON.parse(text));
  const { accessKeyId, endpoint, region, secretAccessKey } = elsewhere;
  const ca = await readFile(join(environment.stateDirectory, "foreign-store-ca.pem"), "utf8");
  s3 = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestHandler: { httpsAgent: { ca } },
  });
  ownS3 = await s3Client(environment);
  ownBucket = await backupBucket(ownS3);
  await giveKey(rightKey, secretAccessKey);
  await giveKey(wrongKey, "x".repeat(secretAccessKey.length));
  const backup = { store: store(), retainAfterDeleteDays: 0 };
  cluster = await made.make("/v1/clusters", {
    name: "elsewhere",
    members: 1,
    storage: { sizeGiB: 2 },
    backup,
  });
  await write(cluster.id, "CREATE TABLE kept AS SELECT i FROM generate_series(1, 3) AS i");
}, slowMs);
afterAll(async () => {
  await made.remove();
  s3.destroy();
  ownS3.destroy();
}, slowMs);

describe("a store of somebody else's", () => {
  const refused: readonly [string, () => Promise<Record<string, unknown>>][] = [
    ["store-bucket-unknown", async () => ({ bucket: "no-such-bucket" })],
    ["store-key-refused", async () => ({ credentialsParameter: wrongKey })],
    ["store-credentials-unfit", async () => ({ credentialsParameter: "/pgherd/local/stores/none" })],
    ["store-unreachable", async () => ({ endpoint: `127.0.0.1:${nobodysPort}` })],
    [
      "store-untrusted",
      // It speaks HTTP alone.
      async () => ({ endpoint: new URL((await environment.awsVariables())["AWS_ENDPOINT_URL"] ?? "").host }),
    ],
  ];
  test.each(refused)("is refused with %s before anything is made", async (code, change) => {
    const body = { name: "never-made", backup: { store: store(await change()) } };
    const answer = await api.call<{ code: string; detail: string }>("POST", "/v1/clusters", { body });
    expect([answer.status, answer.body.code], answer.body.detail).toEqual([422, code]);
    const { body: list } = await api.get<{ items: Cluster[] }>("/v1/clusters?limit=100");
    expect(list.items.map(({ name }) => name)).not.toContain("never-made");
  });

  test("has everything of the cluster below its own path, and the environment's bucket has nothing of it", {
    timeout: slowMs,
  }, async () => {
    await api.carryOut("POST", `/v1/clusters/${cluster.id}/backups`, { type: "full" });
    await api.carryOut("POST", `/v1/clusters/${cluster.id}/backups`, { type: "logical" });
    const keys = await keysElsewhere(cluster.id);
    for (const part of ["/0/archive/main/", "/0/backup/main/", "/0/logical/"]) {
      expect(
        keys.some((key) => key.includes(part)),
        part,
      ).toBe(true);
    }
    expect(await ownKeys(cluster.id)).toEqual([]);
    const all = await keysIn(s3, elsewhere.bucket, "");
    expect(all.filter((key) => !key.startsWith(`pgherd/local/clusters/${cluster.id}/0/`))).toEqual([]);
  });

  test("is opened by a key that only PostgreSQL's user of the node can read", async () => {
    const address = cluster.nodes[0]?.address ?? "";
    const file = "/etc/pgherd/pgbackrest.conf";
    expect((await onMachine(address, ["stat", "-c", "%a %U", file])).trim()).toBe("600 postgres");
    expect(await onMachine(address, ["cat", file])).toContain(elsewhere.secretAccessKey);
    expect(await onMachine(address, ["cat", "/var/lib/pgherd/intent.json"])).not.toContain(
      elsewhere.secretAccessKey,
    );
    const journal = await onMachine(address, ["journalctl", "--no-pager", "-o", "cat"]);
    expect(journal).not.toContain(elsewhere.secretAccessKey);
  });
});

test("a restore reads there, and the new cluster archives where it is told to", {
  timeout: slowMs,
}, async () => {
  await write(cluster.id, "INSERT INTO kept VALUES (4)");
  copy = await made.make(`/v1/clusters/${cluster.id}/restore`, {
    target: "latest",
    into: { newCluster: { name: "elsewhere-no-more", backup: { store: null } } },
  });
  expect(await rowsOf(copy.id, "kept")).toBe("1,2,3,4");
  expect(copy.spec.backup.store).toBeNull();
  expect(await ownKeys(copy.id)).not.toEqual([]);
  expect(await keysElsewhere(copy.id)).toEqual([]);
});

test("a database of a logical backup there is loaded into a cluster that archives here", {
  timeout: slowMs,
}, async () => {
  const { body } = await api.get<{ items: Backup[] }>(`/v1/clusters/${cluster.id}/backups`);
  const logical = body.items.find(({ engine }) => engine === "pg_dump");
  const into = { database: { clusterId: copy.id, name: "from_elsewhere" } };
  await api.carryOut("POST", `/v1/clusters/${cluster.id}/restore`, { backupId: logical?.id, into });
  const found = await write(copy.id, "SELECT datname FROM pg_database WHERE datname = 'from_elsewhere'");
  expect(found).toBe("from_elsewhere");
});

test("backups there go with their cluster, and nothing else that is in the bucket", {
  timeout: slowMs,
}, async () => {
  await api.remove(cluster.id);
  await waitFor("its objects are gone", removalSeconds, async () =>
    (await keysElsewhere(cluster.id)).length === 0 ? true : undefined,
  );
  expect(await keysIn(s3, elsewhere.bucket, "")).toEqual([]);
});
