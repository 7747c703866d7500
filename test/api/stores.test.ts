import type { BackupStore, Cluster, ProblemCode, StoreFault } from "@pgherd/layers/domain";
import { StoreError } from "@pgherd/layers/ports";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CallOptions, type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
});

const store: BackupStore = {
  endpoint: "minio.example.com:9000",
  bucket: "orders-backups",
  region: "us-east-1",
  pathStyle: true,
  credentialsParameter: "/pgherd/local/stores/minio",
};
const { pathStyle: _default, ...asked } = store;

const call = (method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Reply> =>
  world.call(method, path, { role: "operator", ...(body === undefined ? {} : { body }), ...options });
const create = (wanted: unknown = asked, query = "") =>
  call("POST", `/v1/clusters${query}`, { name: "orders", backup: { store: wanted } });
const specOf = (reply: Reply) => (reply.body["cluster"] as Cluster).spec;
const code = (reply: Reply) => [reply.status, reply.body["code"]];
const errorsOf = (reply: Reply) => reply.body["errors"] as { path: string; message: string }[];
const pathsOf = (reply: Reply) => errorsOf(reply).map(({ path }) => path);
const requestOf = (reply: Reply) => (reply.body["operation"] as { request: Record<string, unknown> }).request;

async function expectRefused(expected: readonly [number, string], ask: () => Promise<Reply>): Promise<Reply> {
  const before = await world.items();
  const reply = await ask();
  expect(code(reply), reply.text).toEqual(expected);
  expect(await world.items()).toEqual(before);
  expect(world.executions.started).toEqual([]);
  return reply;
}

const faults: readonly [StoreFault, ProblemCode, string][] = [
  ["unreachable", "store-unreachable", "endpoint"],
  ["untrusted", "store-untrusted", "endpoint"],
  ["keys-unfit", "store-credentials-unfit", "credentialsParameter"],
  ["key-refused", "store-key-refused", "credentialsParameter"],
  ["bucket-unknown", "store-bucket-unknown", "bucket"],
  ["other-region", "store-unfit", "region"],
  ["unfit", "store-unfit", "endpoint"],
];

describe("POST /v1/clusters with a store of somebody else's", () => {
  test("tries it, keeps it in the spec, and has no key anywhere", async () => {
    const reply = await create();
    expect(reply.status, reply.text).toBe(202);
    expect(specOf(reply).backup.store).toEqual(store);
    expect(world.repositories.probed).toEqual([store]);
    expect(JSON.stringify(await world.items())).not.toMatch(/secretAccessKey|accessKeyId/);
  });

  test("without one uses the environment's bucket, and tries nothing", async () => {
    const reply = await call("POST", "/v1/clusters", { name: "orders" });
    expect(specOf(reply).backup.store).toBeNull();
    expect(world.repositories.probed).toEqual([]);
  });

  test("as a dry run tries it, too", async () => {
    const reply = await create(asked, "?dryRun=true");
    expect(reply.status, reply.text).toBe(200);
    expect(world.repositories.probed).toEqual([store]);
  });

  test.each(faults)("that is %s is refused with %s, as a dry run too", async (fault, problem, field) => {
    world.repositories.fault = new StoreError("the store says why", { fault });
    for (const query of ["", "?dryRun=true"]) {
      const reply = await expectRefused([422, problem], () => create(asked, query));
      expect(errorsOf(reply)).toEqual([{ path: `/backup/store/${field}`, message: "the store says why" }]);
      expect(reply.body["detail"]).toContain("the store says why");
    }
  });

  const unfit: readonly [string, Partial<Record<keyof BackupStore, unknown>>, string][] = [
    ["an endpoint without TLS", { endpoint: "http://minio.example.com" }, "/backup/store/endpoint"],
    ["an endpoint with a path", { endpoint: "https://minio.example.com/s3" }, "/backup/store/endpoint"],
    ["an endpoint with a user", { endpoint: "https://me@minio.example.com" }, "/backup/store/endpoint"],
    ["a port that is none", { endpoint: "minio.example.com:70000" }, "/backup/store/endpoint"],
    ["a line break in it", { endpoint: "minio.example.com\nrepo1-path=/" }, "/backup/store/endpoint"],
    ["a bucket that is a path", { bucket: "orders/../invoices" }, "/backup/store/bucket"],
    ["a region that is none", { region: "US East" }, "/backup/store/region"],
    [
      "the key itself",
      { credentialsParameter: "AKIAIOSFODNN7EXAMPLE" },
      "/backup/store/credentialsParameter",
    ],
    [
      "a parameter of a cluster",
      { credentialsParameter: "/pgherd/local/clu_01ARZ3NDEKTSV4RRFFQ69G5FAV/users/admin" },
      "/backup/store/credentialsParameter",
    ],
    [
      "a parameter of another environment",
      { credentialsParameter: "/pgherd/prod/stores/minio" },
      "/backup/store/credentialsParameter",
    ],
    ["nothing for its bucket", { bucket: undefined }, "/backup/store/bucket"],
    ["a key beside it", { secretAccessKey: "x" } as never, "/backup/store/secretAccessKey"],
  ];
  test.each(unfit)("that has %s is refused before it is tried", async (_name, change, path) => {
    const reply = await expectRefused([422, "invalid-request"], () => create({ ...asked, ...change }));
    expect(pathsOf(reply)).toEqual([path]);
    expect(world.repositories.probed).toEqual([]);
  });
});

describe("PATCH", () => {
  const patch = (cluster: Cluster, body: unknown) => call("PATCH", `/v1/clusters/${cluster.id}`, body);
  const withStore = async (): Promise<Cluster> => {
    const drawn = await world.makeAvailable("elsewhere");
    const spec = { ...drawn.spec, backup: { ...drawn.spec.backup, store } };
    return world.makeAvailable("orders", { spec: { ...spec, name: "orders" } });
  };

  test("does not change it, and says what to do instead", async () => {
    const cluster = await withStore();
    const other = { ...store, bucket: "other-backups" };
    for (const wanted of [null, other]) {
      const reply = await expectRefused([422, "store-cannot-change"], () =>
        patch(cluster, { backup: { store: wanted } }),
      );
      expect(pathsOf(reply)).toEqual(["/backup/store"]);
      expect(errorsOf(reply)[0]?.message).toMatch(/orders-backups.*POST …\/restore/);
    }
  });

  test("does not move a cluster out of the environment's bucket", async () => {
    const cluster = await world.makeAvailable("orders");
    await expectRefused([422, "store-cannot-change"], () => patch(cluster, { backup: { store } }));
    expect(world.repositories.probed).toEqual([]);
  });

  test("takes the spec as it is, and what else there is of backups, also back to the defaults", async () => {
    const cluster = await withStore();
    for (const backup of [cluster.spec.backup, { store }, { retention: { full: 9 } }, null]) {
      const reply = await call("PATCH", `/v1/clusters/${cluster.id}?dryRun=true`, { backup });
      expect(reply.status, reply.text).toBe(200);
      expect((reply.body["spec"] as Cluster["spec"]).backup.store).toEqual(store);
    }
  });
});

describe("a restore from a store of somebody else's", () => {
  const restore = (cluster: Cluster, newCluster: object) =>
    call("POST", `/v1/clusters/${cluster.id}/restore`, {
      target: "immediate",
      into: { newCluster: { name: "again", ...newCluster } },
    });
  const withBackup = async (own: BackupStore | null): Promise<Cluster> => {
    const drawn = await world.makeAvailable("drawn");
    const spec = { ...drawn.spec, name: "orders", backup: { ...drawn.spec.backup, store: own } };
    const cluster = await world.makeAvailable("orders", { spec });
    const backup = { walStart: "00000001000000000000000C", walStop: "00000001000000000000000C" };
    const lsn = { lsnStart: "0/C000028", lsnStop: "0/C000120" };
    await world.makeBackup(cluster.id, { ...backup, ...lsn });
    world.repositories.keep(12, 13);
    return cluster;
  };

  test("reads there, and the new cluster archives there too, under a path of its own", async () => {
    const cluster = await withBackup(store);
    const reply = await restore(cluster, {});
    expect(reply.status, reply.text).toBe(202);
    expect(world.repositories.read).toEqual([store, store]);
    expect(requestOf(reply)).toMatchObject({ clusterId: cluster.id, store });
    expect(specOf(reply).backup.store).toEqual(store);
    expect(world.repositories.probed).toEqual([store]);
  });

  test("reads there, and the new cluster archives where it is told to", async () => {
    const cluster = await withBackup(store);
    const reply = await restore(cluster, { backup: { store: null } });
    expect(reply.status, reply.text).toBe(202);
    expect(requestOf(reply)).toMatchObject({ store });
    expect(specOf(reply).backup.store).toBeNull();
    expect(world.repositories.probed).toEqual([]);
  });

  test("the other way round reads the environment's bucket", async () => {
    const cluster = await withBackup(null);
    const reply = await restore(cluster, { backup: { store: asked } });
    expect(reply.status, reply.text).toBe(202);
    expect(requestOf(reply)).not.toHaveProperty("store");
    expect(world.repositories.read).toEqual([null, null]);
    expect(specOf(reply).backup.store).toEqual(store);
  });

  test("that does not open is refused, and nothing is made", async () => {
    const cluster = await withBackup(store);
    world.repositories.fault = new StoreError("the store says why", { fault: "key-refused" });
    const reply = await expectRefused([422, "store-key-refused"], () => restore(cluster, {}));
    expect(reply.body["detail"]).toContain("the store says why");
  });

  test("into one that does not open is refused, and the field is named", async () => {
    const cluster = await withBackup(null);
    world.repositories.fault = new StoreError("the store says why", { fault: "bucket-unknown" });
    const reply = await expectRefused([422, "store-bucket-unknown"], () =>
      restore(cluster, { backup: { store: asked } }),
    );
    expect(pathsOf(reply)).toEqual(["/into/newCluster/backup/store/bucket"]);
  });

  test("brings a deleted cluster back to where its backups are", async () => {
    const cluster = await withBackup(store);
    await world.deleteCluster(cluster);
    const reply = await call("POST", `/v1/clusters/${cluster.id}/undelete`);
    expect(reply.status, reply.text).toBe(202);
    expect(requestOf(reply)).toMatchObject({ clusterId: cluster.id, store });
    expect(specOf(reply).backup.store).toEqual(store);
    expect(world.repositories.probed).toEqual([store]);
  });
});
