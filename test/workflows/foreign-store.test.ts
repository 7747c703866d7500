import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeWhatIsOver } from "../../functions/reconcilers/deleted-clusters/reconcile.ts";
import { S3Repositories } from "../../layers/aws/repositories.ts";
import {
  type Backup,
  type BackupStore,
  type RestoreSource,
  repositoryKeyPrefix,
  type StoreKeys,
} from "../../layers/domain/index.ts";
import { credentialsParameter, type Elsewhere, openElsewhere } from "../unit/store/support/elsewhere.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import type { ControlPlane } from "../world/control-plane.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { lastBackup, makeCluster, sourceOf } from "../world/made-cluster.ts";

const dayMs = 24 * 3600 * 1000;

const dynamodb = useDynamoDB();
let elsewhere: Elsewhere;
beforeAll(async () => {
  elsewhere = await openElsewhere();
});
afterAll(() => elsewhere[Symbol.asyncDispose]());

/** As somebody puts it there with a client of their own. */
async function giveKey(cloud: Cloud, keys: StoreKeys = elsewhere.keys): Promise<void> {
  const { secrets } = cloud.ports;
  const value = JSON.stringify(keys);
  if ((await secrets.find(credentialsParameter)) === null) {
    await secrets.ensure(credentialsParameter, "", async () => value);
  } else await secrets.replace(credentialsParameter, value);
}

interface Scene {
  readonly plane: ControlPlane;
  readonly source: RestoreSource;
  readonly backup: Backup;
}

/** A cluster with a backup. */
async function open(cloud: Cloud, store: BackupStore | null): Promise<Scene> {
  const made = await makeCluster(cloud, { backup: { store } });
  const { clusterId, plane } = made;
  expect(await made.read()).toMatchObject({ status: "available" });
  await plane.carryOut(await plane.writeBackup(clusterId));
  const backup = await lastBackup(cloud, clusterId);
  return { plane, source: sourceOf(backup, "latest"), backup };
}

/** The place of a cluster in the store. */
function placeOf(clusterId: string) {
  const { bucket, credentialsParameter: parameter, endpoint, pathStyle, region } = elsewhere.store;
  return {
    bucket,
    region,
    prefix: `/pgherd/test/clusters/${clusterId}/0`,
    store: { endpoint, pathStyle, credentialsParameter: parameter },
  };
}
const ownPlaceOf = (clusterId: string) => ({
  bucket: "backups",
  region: "local-1",
  prefix: `/clusters/${clusterId}/0`,
});

async function nodesOf(cloud: Cloud, clusterId: string) {
  const cluster = await cloud.ports.store.getCluster(clusterId);
  if (cluster === null) throw new Error("there is no such cluster");
  return cluster.nodes.map(({ id }) => ({
    archive: cloud.machines.repositories.get(id)?.at(-1),
    restores: cloud.machines.restores.get(id),
  }));
}

describe("a cluster whose backups are in a store of somebody else's", () => {
  test("has nodes that archive there, and that read the key themselves", async () => {
    await using cloud = await openCloud(dynamodb);
    await giveKey(cloud);
    const { source } = await open(cloud, elsewhere.store);
    expect(await nodesOf(cloud, source.clusterId)).toEqual([
      { archive: placeOf(source.clusterId), restores: [null] },
    ]);
    const told = [...cloud.machines.machines.values()].flatMap(({ finished }) => [...finished.keys()]);
    const texts = told.map((key) => Buffer.from(key.split(" ").at(-1) ?? "", "base64").toString());
    expect(texts.some((text) => text.includes(credentialsParameter))).toBe(true);
    expect(texts.filter((text) => text.includes(elsewhere.keys.secretAccessKey))).toEqual([]);
  });

  test.each([
    ["there, too", true],
    ["in the environment's bucket", false],
  ])("is restored into one that archives %s, each to a path of its own", async (_where, isThere) => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud, elsewhere.store);
    const body = { name: "again", members: 3, backup: { store: isThere ? elsewhere.store : null } };
    const request = { ...source, store: elsewhere.store };
    const written = await plane.writeCreate(body, { kind: "restore-cluster", request });
    const { clusterId, state } = await plane.carryOut(written);
    expect(state).toBe("succeeded");
    const archive = isThere ? placeOf(clusterId) : ownPlaceOf(clusterId);
    const restore = { source, repository: placeOf(source.clusterId) };
    const node = { archive, restores: [restore, null] };
    expect(await nodesOf(cloud, clusterId)).toEqual([node, node, node]);
  });

  test("is brought back into its own path", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, source } = await open(cloud, elsewhere.store);
    await plane.delete(source.clusterId);
    const deleted = await cloud.ports.store.getDeletedCluster(source.clusterId);
    if (deleted === null) throw new Error("nothing is kept of the cluster");
    expect(deleted.spec.backup.store).toEqual(elsewhere.store);
    const written = await plane.writeUndelete(deleted, { ...source, store: elsewhere.store });
    expect(await plane.carryOut(written)).toMatchObject({ state: "succeeded" });
    const repository = placeOf(source.clusterId);
    expect(await nodesOf(cloud, source.clusterId)).toEqual([
      { archive: repository, restores: [{ source, repository }, null] },
    ]);
  });
});

test("a cluster of the environment's bucket is restored into one that archives to a store of somebody else's", async () => {
  await using cloud = await openCloud(dynamodb);
  const { plane, source } = await open(cloud, null);
  const body = { name: "again", members: 1, backup: { store: elsewhere.store } };
  const written = await plane.writeCreate(body, { kind: "restore-cluster", request: { ...source } });
  const { clusterId, state } = await plane.carryOut(written);
  expect(state).toBe("succeeded");
  const restore = { source, repository: ownPlaceOf(source.clusterId) };
  expect(await nodesOf(cloud, clusterId)).toEqual([
    { archive: placeOf(clusterId), restores: [restore, null] },
  ]);
});

test.each([
  ["in a store of somebody else's", true],
  ["in the environment's bucket", false],
])("a database is loaded from a logical backup %s", async (_where, isThere) => {
  await using cloud = await openCloud(dynamodb);
  const { logical } = cloud.machines;
  const { plane, source } = await open(cloud, isThere ? elsewhere.store : null);
  const { operation } = await plane.create({ name: "invoices", members: 1 });
  const { state } = await plane.carryOut(await plane.writeBackup(source.clusterId, "logical"));
  expect(state).toBe("succeeded");
  const backups = await cloud.ports.store.allBackups(source.clusterId);
  const taken = backups.find(({ engine }) => engine === "pg_dump");
  if (taken === undefined) throw new Error("there is no logical backup");
  const { clusterId, shard } = source;
  const from = { clusterId, shard, backupId: taken.id, database: "app" };
  const load = { source: from, name: "copy", ...(isThere ? { store: elsewhere.store } : {}) };
  const written = await plane.writeLoad(operation.clusterId, load);
  expect(await plane.carryOut(written)).toMatchObject({ state: "succeeded" });
  expect(logical.database(operation.clusterId, "copy")).toMatchObject({ content: taken.id });
  expect(logical.readFrom).toEqual([isThere ? placeOf(clusterId) : ownPlaceOf(clusterId)]);
});

describe("what is kept of a deleted cluster in a store of somebody else's", () => {
  const everything = { prefix: "", delimiter: "", after: "", max: 1000 };
  const keys = () => elsewhere.objects.list(elsewhere.store.bucket, everything).objects.map(({ key }) => key);
  const keyOf = (clusterId: string): string => {
    const owner = { environment: "test", clusterId, store: elsewhere.store };
    return `${repositoryKeyPrefix(owner)}0/backup/main/backup.info`;
  };

  async function put(key: string): Promise<void> {
    async function* bytes() {
      yield Buffer.from("x");
    }
    const body = { bytes: bytes(), contentType: null, md5: null };
    await elsewhere.objects.put(elsewhere.store.bucket, key, body);
  }

  const look = ({ ports: { secrets, settings, store } }: Cloud): Promise<void> =>
    removeWhatIsOver({
      environment: settings.environment,
      store,
      secrets,
      repositories: new S3Repositories(settings, secrets),
      now: () => new Date(Date.now() + 8 * dayMs),
      log: () => undefined,
    });

  test("goes after its time, and nobody else's; without a key it stays on record until there is one", async () => {
    await using cloud = await openCloud(dynamodb);
    const { store } = cloud.ports;
    const { plane, source } = await open(cloud, elsewhere.store);
    const { operation } = await plane.create({
      name: "invoices",
      members: 1,
      backup: { store: elsewhere.store },
    });
    await put(keyOf(source.clusterId));
    await put(keyOf(operation.clusterId));
    await plane.delete(source.clusterId);

    await giveKey(cloud, { ...elsewhere.keys, secretAccessKey: "withdrawn" });
    await look(cloud);
    expect(keys()).toHaveLength(2);
    expect(await store.getDeletedCluster(source.clusterId)).toMatchObject({ isRemoving: true });

    await giveKey(cloud);
    await look(cloud);
    expect(keys()).toEqual([keyOf(operation.clusterId)]);
    expect(await store.getDeletedCluster(source.clusterId)).toBeNull();
    expect(await cloud.ports.secrets.find(credentialsParameter)).not.toBeNull();
  });
});
