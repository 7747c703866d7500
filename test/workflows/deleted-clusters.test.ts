import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeWhatIsOver } from "../../functions/reconcilers/deleted-clusters/reconcile.ts";
import { S3Repositories } from "../../layers/aws/repositories.ts";
import type { DeletedCluster } from "../../layers/domain/index.ts";
import type { ClusterPlace } from "../../layers/ports/index.ts";
import { newId } from "../../layers/runtime/ids.ts";
import { Faults } from "../../local/endpoints/faults.ts";
import { Recorder } from "../../local/endpoints/recorder.ts";
import { S3Front } from "../../local/endpoints/s3/front.ts";
import { ObjectStore } from "../../local/endpoints/s3/store.ts";
import { watchCalls } from "../../local/endpoints/s3/watch.ts";
import { startEndpoints } from "../unit/local/support/endpoints.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { type DynamoDB, openDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";

const Bucket = "backups";
const dayMs = 24 * 3600 * 1000;
const log = (): void => undefined;

let dynamodb: DynamoDB;
let directory: string;
let objects: ObjectStore;
let endpoints: Awaited<ReturnType<typeof startEndpoints>>;
let s3: S3Client;
beforeAll(async () => {
  dynamodb = openDynamoDB();
  directory = await mkdtemp(join(tmpdir(), "pgherd-repositories-"));
  objects = await ObjectStore.open({ directory, writer: "test" });
  await objects.ensureBucket(Bucket);
  const watch = watchCalls({ recorder: new Recorder(), faults: new Faults() });
  const onError = (error: unknown) => {
    throw error;
  };
  endpoints = await startEndpoints([], new S3Front({ store: objects, watch, onError }));
  s3 = new S3Client({ ...endpoints.operator, forcePathStyle: true });
});
afterAll(async () => {
  s3.destroy();
  await endpoints.close();
  objects.close();
  await rm(directory, { recursive: true });
  await dynamodb[Symbol.asyncDispose]();
});

const keysOf = (clusterId: string) => [
  `clusters/${clusterId}/0/backup/main/backup.info`,
  `clusters/${clusterId}/0/archive/main/17-1/0000000100000000/000000010000000000000001-x.zst`,
];
const put = (Key: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));

async function fill(clusterId: string): Promise<void> {
  for (const key of keysOf(clusterId)) await put(key);
}

async function left(clusterId: string): Promise<number> {
  const answer = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: `clusters/${clusterId}` }));
  return (answer.Contents ?? []).length;
}

/** A look at what is kept, so many days from now. */
async function look(cloud: Cloud, afterDays: number): Promise<void> {
  const { secrets, settings, store } = cloud.ports;
  await removeWhatIsOver({
    environment: settings.environment,
    store,
    secrets,
    repositories: new S3Repositories(settings, secrets, endpoints.operator),
    now: () => new Date(Date.now() + afterDays * dayMs),
    log,
  });
}

interface Scene {
  readonly plane: ControlPlane;
  readonly deleted: DeletedCluster;
}

async function bury(cloud: Cloud, name = "orders", finalBackup = true): Promise<Scene> {
  const plane = new ControlPlane(cloud);
  const { operation } = await plane.create({ name, members: 1 });
  await fill(operation.clusterId);
  await plane.delete(operation.clusterId, finalBackup);
  const deleted = await cloud.ports.store.getDeletedCluster(operation.clusterId);
  if (deleted === null) throw new Error("nothing is kept of the cluster");
  return { plane, deleted };
}

async function actions(cloud: Cloud, clusterId: string): Promise<string[]> {
  const { items } = await cloud.ports.store.listAuditEntries({ clusterId, limit: 50, cursor: null });
  return items.map(({ action }) => action);
}

describe("what is kept of a deleted cluster", () => {
  test("stays as long as it is to be kept", async () => {
    await using cloud = await openCloud(dynamodb);
    const { deleted } = await bury(cloud);
    await look(cloud, 6.9);
    expect(await left(deleted.id)).toBe(2);
    expect(await cloud.ports.store.getDeletedCluster(deleted.id)).toEqual(deleted);
  });

  test("goes then, with its pass and its records and nobody else's, and is told once", async () => {
    await using cloud = await openCloud(dynamodb);
    const { deleted, plane } = await bury(cloud);
    const neighbour = await plane.create({ name: "invoices", members: 1 });
    await plane.carryOut(await plane.writeBackup(neighbour.operation.clusterId));
    await fill(neighbour.operation.clusterId);
    // A key that only begins alike.
    await put(`clusters/${deleted.id}x/0/backup.info`);
    await look(cloud, 7.1);
    await look(cloud, 7.2);
    expect(await left(`${deleted.id}/`)).toBe(0);
    expect(await left(`${deleted.id}x`)).toBe(1);
    expect(await left(neighbour.operation.clusterId)).toBe(2);
    expect(await inventory(cloud)).toEqual(inventoryOf(1));
    expect(await cloud.ports.store.allBackups(deleted.id)).toEqual([]);
    expect(await cloud.ports.store.allBackups(neighbour.operation.clusterId)).toHaveLength(1);
    expect(await cloud.ports.store.getDeletedCluster(deleted.id)).toBeNull();
    const told = (await actions(cloud, deleted.id)).filter((action) => action === "backups-removed");
    expect(told).toHaveLength(1);
  });

  test("is nothing where there was no backup: its WAL goes at once, without a word", async () => {
    await using cloud = await openCloud(dynamodb);
    const { deleted } = await bury(cloud, "orders", false);
    expect(deleted.hasBackups).toBe(false);
    await look(cloud, 0.001);
    expect(await left(deleted.id)).toBe(0);
    expect(await actions(cloud, deleted.id)).not.toContain("backups-removed");
  });

  test("stays while somebody restores from it, and goes afterwards", async () => {
    await using cloud = await openCloud(dynamodb);
    const { deleted, plane } = await bury(cloud);
    const [backup] = await cloud.ports.store.allBackups(deleted.id);
    const request = {
      clusterId: deleted.id,
      shard: 0,
      backupId: backup?.id ?? "",
      label: backup?.label ?? "",
      target: "latest",
      exclusive: false,
    };
    const restore = await plane.writeCreate(
      { name: "again", members: 1 },
      { kind: "restore-cluster", request },
    );
    await look(cloud, 8);
    expect(await left(deleted.id)).toBe(2);
    expect(await cloud.ports.store.getDeletedCluster(deleted.id)).toMatchObject({ isRemoving: false });
    expect(await plane.carryOut(restore)).toMatchObject({ state: "succeeded" });
    await look(cloud, 8);
    expect(await left(deleted.id)).toBe(0);
  });

  test("is the cluster's own again once it is back", async () => {
    await using cloud = await openCloud(dynamodb);
    const { deleted, plane } = await bury(cloud);
    const [backup] = await cloud.ports.store.allBackups(deleted.id);
    const request = {
      clusterId: deleted.id,
      shard: 0,
      backupId: backup?.id ?? newId("backup"),
      label: backup?.label ?? "",
      target: "latest",
      exclusive: false,
    } as const;
    const written = await plane.writeUndelete(deleted, request);
    await look(cloud, 8);
    expect(await cloud.ports.store.getDeletedCluster(deleted.id)).toEqual(deleted);
    expect(await plane.carryOut(written)).toMatchObject({ state: "succeeded" });
    await look(cloud, 8);
    expect(await cloud.ports.store.getDeletedCluster(deleted.id)).toBeNull();
    expect(await left(deleted.id)).toBe(2);
    expect(await cloud.ports.store.allBackups(deleted.id)).toHaveLength(1);
  });

  test("that cannot be removed now is removed the next time", async () => {
    await using cloud = await openCloud(dynamodb);
    const { deleted } = await bury(cloud);
    const { secrets, settings, store } = cloud.ports;
    let isBroken = true;
    const real = new S3Repositories(settings, secrets, endpoints.operator);
    const world = {
      environment: settings.environment,
      store,
      secrets,
      repositories: {
        removeAll: async (place: ClusterPlace, forMs: number) => {
          if (isBroken) throw new Error("S3 is away");
          return real.removeAll(place, forMs);
        },
      },
      now: () => new Date(Date.now() + 8 * dayMs),
      log,
    };
    await removeWhatIsOver(world);
    expect(await cloud.ports.store.getDeletedCluster(deleted.id)).toMatchObject({ isRemoving: true });
    isBroken = false;
    await removeWhatIsOver(world);
    expect(await cloud.ports.store.getDeletedCluster(deleted.id)).toBeNull();
    expect(await left(deleted.id)).toBe(0);
  });
});
