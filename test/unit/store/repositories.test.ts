import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NodeObjects } from "../../../layers/aws/node-objects.ts";
import { S3Repositories } from "../../../layers/aws/repositories.ts";
import { type BackupStore, repositoryKeyPrefix } from "../../../layers/domain/index.ts";
import { repositoryOf } from "../../../layers/domain/node/index.ts";
import { StoreError } from "../../../layers/ports/index.ts";
import { paperSettings } from "../../world/settings.ts";
import { credentialsParameter, type Elsewhere, openElsewhere, parameters } from "./support/elsewhere.ts";

const orders = "clu_01ARZ3NDEKTSV4RRFFQ69G5FAV";
const invoices = "clu_01ARZ3NDEKTSV4RRFFQ69G5FAW";

let elsewhere: Elsewhere;
let repositories: S3Repositories;
beforeAll(async () => {
  elsewhere = await openElsewhere();
});
beforeEach(async () => {
  repositories = new S3Repositories(paperSettings, parameters({ [credentialsParameter]: elsewhere.keys }));
  for (const key of keys()) await elsewhere.objects.delete(elsewhere.store.bucket, key);
});
afterAll(() => elsewhere[Symbol.asyncDispose]());

const everything = { prefix: "", delimiter: "", after: "", max: 1000 };
const keys = (): string[] =>
  elsewhere.objects.list(elsewhere.store.bucket, everything).objects.map(({ key }) => key);

async function put(...names: string[]): Promise<void> {
  async function* bytes() {
    yield Buffer.from("x");
  }
  for (const name of names) {
    await elsewhere.objects.put(elsewhere.store.bucket, name, {
      bytes: bytes(),
      contentType: null,
      md5: null,
    });
  }
}

const below = (clusterId: string, environment = "test") =>
  repositoryKeyPrefix({ environment, clusterId, store: elsewhere.store });
const segment = (clusterId: string, name: string) =>
  `${below(clusterId)}0/archive/main/17-1/${name.slice(0, 16)}/${name}-${"0".repeat(40)}.zst`;
const [first, second] = ["000000010000000000000001", "000000010000000000000002"] as const;

describe("the control plane, in a store of somebody else's", () => {
  test("finds the cluster's WAL and timelines, and no other cluster's", async () => {
    await put(segment(orders, first), segment(orders, second), segment(invoices, first));
    await put(`${below(orders)}0/archive/main/17-1/00000002.history`);
    const place = { clusterId: orders, shard: 0, store: elsewhere.store };
    const { segments } = await repositories.wal(place, first);
    expect(segments.map(({ name }) => name)).toEqual([first, second]);
    expect(await repositories.timelines(place)).toMatchObject([{ timeline: 2 }]);
  });

  test("removes what is the cluster's, and nothing else that is in the bucket", async () => {
    const others = [
      segment(invoices, first),
      `${below(orders, "prod")}0/backup/main/backup.info`,
      `clusters/${orders}/0/backup/main/backup.info`,
      "their-own/file",
    ];
    await put(
      ...others,
      ...Array.from({ length: 40 }, (_, index) => `${below(orders)}0/backup/main/${index}`),
    );
    const place = { clusterId: orders, store: elsewhere.store };
    expect(await repositories.removeAll(place, 5_000)).toEqual({ removed: 40, isDone: true });
    expect(keys()).toEqual(others.toSorted());
    expect(await repositories.removeAll(place, 5_000)).toEqual({ removed: 0, isDone: true });
  });

  test("takes another key as soon as its parameter holds one, and says whose fault it is until then", async () => {
    const held = { [credentialsParameter]: { ...elsewhere.keys, secretAccessKey: "old" } };
    const place = { clusterId: orders, store: elsewhere.store };
    const stale = new S3Repositories(paperSettings, parameters(held));
    await expect(stale.removeAll(place, 5_000)).rejects.toMatchObject({ fault: "key-refused" });
    await expect(stale.removeAll(place, 5_000)).rejects.toBeInstanceOf(StoreError);
    await repositories.removeAll(place, 5_000);
  });
});

test("no two clusters share a path, of whatever environment and in whatever store", () => {
  const prefixes = [null, elsewhere.store].flatMap((store: BackupStore | null) =>
    ["test", "prod"].flatMap((environment) =>
      [orders, invoices].map((clusterId) => {
        const ports = { region: "local-1", settings: { ...paperSettings, environment } };
        const { bucket, prefix } = repositoryOf(ports, { clusterId, store }, 0);
        expect(prefix).toContain(clusterId);
        if (store !== null) expect(prefix).toContain(`/${environment}/`);
        // An environment has a bucket of its own, whatever it is called here.
        return `${store === null ? `${environment} ` : ""}${bucket}${prefix}/`;
      }),
    ),
  );
  for (const one of prefixes) {
    expect(prefixes.filter((other) => other.startsWith(one))).toEqual([one]);
  }
});

describe("a node, in a store of somebody else's", () => {
  const place = () =>
    repositoryOf(
      { region: "local-1", settings: paperSettings },
      { clusterId: orders, store: elsewhere.store },
      0,
    );
  const open = () => new NodeObjects(place(), elsewhere.keys);

  test("writes, reads, lists and removes objects", async () => {
    using objects = open();
    const key = `${below(orders)}0/logical/x/00000001`;
    const bytes = randomBytes(100_000);
    await objects.put(key, bytes);
    expect(await objects.get(key)).toEqual(bytes);
    expect(await objects.get(key, { offset: 10, bytes: 5 })).toEqual(bytes.subarray(10, 15));
    expect(await objects.get(`${key}0`)).toBeNull();
    const listed: string[] = [];
    for await (const page of objects.list(below(orders))) listed.push(...page);
    expect(listed).toEqual([key]);
    await objects.remove([key, `${key}0`]);
    expect(keys()).toEqual([]);
  });

  test("writes a manifest once", async () => {
    using objects = open();
    const key = `${below(orders)}0/logical/x/manifest.json`;
    expect(await objects.putNew(key, Buffer.from("first"))).toBe(true);
    expect(await objects.putNew(key, Buffer.from("second"))).toBe(false);
    expect((await objects.get(key))?.toString()).toBe("first");
  });

  test("does nothing with the role that it has", () => {
    expect(() => new NodeObjects(place(), null)).toThrow("no keys");
  });
});
