import { backupDefault, type Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CallOptions, type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
});

const patch = (body: unknown, query = "", options: CallOptions = {}): Promise<Reply> =>
  world.call("PATCH", `/v1/clusters/${cluster.id}${query}`, { role: "operator", body, ...options });
const scale = (body: unknown, query = "") =>
  world.call("POST", `/v1/clusters/${cluster.id}/scale${query}`, { role: "operator", body });
const code = (reply: Reply) => [reply.status, reply.body["code"]];
const errorsOf = (reply: Reply) => reply.body["errors"] as { path: string; message: string }[];
const specOf = (reply: Reply) => (reply.body["cluster"] as Cluster).spec;
const requestOf = (reply: Reply) => (reply.body["operation"] as { request: Record<string, unknown> }).request;

async function expectNothingChanged(): Promise<void> {
  expect(world.executions.started).toEqual([]);
  expect(await world.store.getCluster(cluster.id)).toEqual(cluster);
}

/** The operation that holds the cluster ends. */
async function end(reply: Reply): Promise<void> {
  const { id } = reply.body["operation"] as { id: string };
  const available = { status: "available", statusReason: "Every member runs." } as const;
  await world.store.endOperation(id, {
    state: "succeeded",
    endedAt: new Date().toISOString(),
    cluster: available,
  });
}

describe("PATCH", () => {
  test("writes the spec, its next generation and the operation that makes it so", async () => {
    const reply = await patch({ members: 5, parameters: { work_mem: "16MB" } });

    expect(reply.status, reply.text).toBe(202);
    expect(reply.headers["etag"]).toBe('"2"');
    const spec = { ...cluster.spec, members: 5, parameters: { work_mem: "16MB" } };
    expect(reply.body["cluster"]).toMatchObject({ status: "updating", generation: 2, spec });
    expect(requestOf(reply)).toMatchObject({
      apply: "reload",
      replace: null,
      previousSpec: cluster.spec,
      isRecordOnly: false,
    });
    expect(await world.store.getCluster(cluster.id)).toMatchObject({ generation: 2, spec });
    expect(world.executions.started).toMatchObject([{ kind: "converge-cluster" }]);
  });

  test("merges objects, replaces lists, and takes what is null back to its default", async () => {
    await end(
      await patch({
        parameters: { work_mem: "16MB", jit: false },
        tags: { team: "billing", stage: "test" },
        access: { cidrs: ["10.0.0.0/8", "192.0.2.0/24"] },
        durability: "async",
      }),
    );
    const reply = await patch({
      parameters: { jit: null },
      tags: { stage: null, owner: "ada" },
      access: { cidrs: ["10.1.0.0/16"] },
      durability: null,
    });

    expect(specOf(reply)).toMatchObject({
      parameters: { work_mem: "16MB" },
      tags: { team: "billing", owner: "ada" },
      access: { cidrs: ["10.1.0.0/16"] },
      durability: "sync",
    });
    expect(specOf(reply).parameters).not.toHaveProperty("jit");
  });

  test.each(["application/merge-patch+json", "application/json"])("comes as %s", async (type) => {
    const text = '{"durability":"async"}';
    const reply = await patch(undefined, "", { text, headers: { "content-type": type } });
    expect([reply.status, specOf(reply).durability]).toEqual([202, "async"]);
  });

  test("of tags and deletionProtection alone concerns no node", async () => {
    const reply = await patch({ tags: { team: "billing" }, deletionProtection: true });
    expect(requestOf(reply)).toMatchObject({ isRecordOnly: true });
    expect(specOf(reply)).toMatchObject({ tags: { team: "billing" }, deletionProtection: true });
  });

  test("of what is kept of backups concerns no node", async () => {
    const reply = await patch({ backup: { retention: { logical: 14 } } });
    expect(requestOf(reply)).toMatchObject({ isRecordOnly: true });
    expect(specOf(reply).backup).toMatchObject({ retention: { logical: 14 } });
    await end(reply);
    expect(specOf(await patch({ backup: null })).backup).toEqual(backupDefault);
  });

  test("of nothing repairs what differs, and the spec's generation stays", async () => {
    const reply = await patch({});
    expect(reply.body["cluster"]).toMatchObject({ generation: 1, status: "updating" });
    expect(requestOf(reply)).toMatchObject({ previousSpec: null, isRecordOnly: false });
  });

  test("names the extensions that go", async () => {
    await end(await patch({ extensions: ["vector", "pg_trgm"] }));
    expect(requestOf(await patch({ extensions: ["vector"] }))).toMatchObject({ dropExtensions: ["pg_trgm"] });
  });

  test("of a parameter that takes a restart says so, unless it asks for one", async () => {
    const waiting = await patch({ parameters: { max_connections: 150 } });
    expect(waiting.body["warnings"]).toContainEqual(expect.stringMatching(/max_connections.*restart/));
    await end(waiting);
    const applied = await patch({ parameters: { max_connections: 160 } }, "?apply=restart");
    expect(requestOf(applied)).toMatchObject({ apply: "restart" });
    expect(applied.body["warnings"]).not.toContainEqual(expect.stringMatching(/pendingRestart/));
  });

  test("of a whole spec as it was read changes nothing of it", async () => {
    const reply = await patch(cluster.spec);
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body["cluster"]).toMatchObject({ generation: 1, spec: cluster.spec });
  });

  test("to nodes of their own and back", async () => {
    const there = await patch({
      dcs: { placement: "dedicated" },
      proxy: { placement: "dedicated", count: 3 },
    });
    expect(specOf(there)).toMatchObject({
      dcs: { members: 3, placement: "dedicated" },
      proxy: { placement: "dedicated", count: 3 },
    });
    await end(there);
    const back = await patch({ dcs: { placement: "colocated" }, proxy: { placement: null } });
    expect(specOf(back)).toMatchObject({
      dcs: { members: 3, placement: "colocated" },
      proxy: { placement: "colocated", count: 2 },
    });
  });

  test("by a generation that is not the present one is refused", async () => {
    await end(await patch({ members: 4 }));
    const stale = await patch({ members: 5 }, "", { headers: { "if-match": '"1"' } });
    expect(code(stale)).toEqual([412, "precondition-failed"]);
    expect((await world.store.getCluster(cluster.id))?.spec.members).toBe(4);
    const current = await patch({ members: 5 }, "", { headers: { "if-match": '"2"' } });
    expect(current.status).toBe(202);
  });
});

describe("a patch that cannot be", () => {
  test.each<[unknown, string, string, RegExp]>([
    [{ name: "invoices" }, "immutable-field", "/name", /stays "orders"/],
    [{ name: null }, "immutable-field", "/name", /stays "orders"/],
    [{ name: "No Name" }, "immutable-field", "/name", /stays "orders"/],
    [{ database: "ledger" }, "immutable-field", "/database", /ALTER DATABASE/],
    [{ postgresVersion: 18 }, "immutable-field", "/postgresVersion", /stays 17 .*moving the data/],
    [{ postgresVersion: "17" }, "invalid-request", "/postgresVersion", /a number/],
    [{ storage: { sizeGiB: 10 } }, "storage-cannot-shrink", "/storage/sizeGiB", /pg_dump/],
    [{ storage: { sizeGiB: 16_385 } }, "invalid-request", "/storage/sizeGiB", /at most 16384/],
    [{ members: 0 }, "invalid-request", "/members", /at least 1/],
    [{ members: 10 }, "invalid-request", "/members", /at most 9/],
    [{ members: "5" }, "invalid-request", "/members", /number/],
    [{ dcs: { members: 4 } }, "invalid-request", "/dcs/members", /one of 1, 3, 5, 7/],
    [{ dcs: { members: 5 } }, "invalid-request", "/dcs/members", /at least as many members/],
    [{ members: 2, dcs: { members: 3 } }, "invalid-request", "/dcs/members", /dcs.placement to dedicated/],
    [{ instanceType: "z1.huge" }, "invalid-request", "/instanceType", /t4g/],
    [{ extensions: ["postgis"] }, "invalid-request", "/extensions/0", /postgis/],
    [{ parameters: { work_mem: "lots" } }, "invalid-request", "/parameters/work_mem", /./],
    [{ parameters: { fsync: "off" } }, "invalid-request", "/parameters/fsync", /damage/],
    [{ failover: { profile: "fast", wrapper: false } }, "invalid-request", "/failover/profile", /wrapper/],
    [{ proxy: { count: 3 } }, "invalid-request", "/proxy/count", /proxy.placement/],
    [{ dcs: 5 }, "invalid-request", "/dcs", /an object/],
    [{ tags: { team: 7 } }, "invalid-request", "/tags/team", /a string/],
    [{ colour: "red" }, "invalid-request", "/colour", /unknown here/],
    [{ dcs: { colour: "red" } }, "invalid-request", "/dcs/colour", /known are members, placement/],
  ])("%j is refused as %s, and nothing changes", async (body, expected, path, message) => {
    const reply = await patch(body);
    expect(code(reply), reply.text).toEqual([422, expected]);
    expect(errorsOf(reply).find((error) => error.path === path)?.message, reply.text).toMatch(message);
    await expectNothingChanged();
  });

  test("takes no volume back to the default size", async () => {
    const spec = { ...cluster.spec, name: "large", storage: { sizeGiB: 30 } };
    const large = await world.makeAvailable("large", { spec });
    for (const storage of [null, { sizeGiB: null }]) {
      const reply = await world.call("PATCH", `/v1/clusters/${large.id}`, { body: { storage } });
      expect(code(reply)).toEqual([422, "storage-cannot-shrink"]);
      expect(errorsOf(reply)[0]?.message).toMatch(/30 GiB: to get down to 20 GiB/);
    }
    expect(await world.store.getCluster(large.id)).toEqual(large);
  });

  test.each(["now", "", "reload,restart"])(
    "to be applied %j is refused, and nothing changes",
    async (apply) => {
      const reply = await patch({ parameters: { max_connections: 150 } }, `?apply=${apply}`);
      expect(code(reply)).toEqual([422, "invalid-request"]);
      expect(errorsOf(reply)).toEqual([
        { path: "apply", message: expect.stringContaining('one of "reload", "restart"') },
      ]);
      await expectNothingChanged();
    },
  );

  test("is told everything that is wrong at once", async () => {
    const reply = await patch({ name: "invoices", storage: { sizeGiB: 1 }, dcs: { members: 7 } });
    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect(errorsOf(reply).map((error) => error.path)).toEqual(["/name", "/storage/sizeGiB", "/dcs/members"]);
  });
});

describe("a dry run", () => {
  test("answers the changes in order, and changes nothing", async () => {
    const reply = await patch({ members: 4, parameters: { work_mem: "16MB" } }, "?dryRun=true");

    expect(reply.status, reply.text).toBe(200);
    expect(reply.body).toMatchObject({ kind: "converge-cluster", spec: { members: 4 }, interrupts: [] });
    const changes = reply.body["changes"] as string[];
    expect(changes[0]).toBe("Configure 3 nodes.");
    expect(changes.find((line) => line.startsWith("Add a node in zone local-1a"))).toBeDefined();
    expect(changes.at(-1)).toMatch(/to stream from the leader/);
    expect(reply.body["nodesPerZone"]).toEqual({ "local-1a": 1 });
    await expectNothingChanged();
  });

  test("says what clients notice of another size", async () => {
    const reply = await patch({ instanceType: "t4g.small" }, "?dryRun=true");
    expect(reply.body["interrupts"]).toContainEqual(expect.stringMatching(/While the leader moves/));
    const changes = reply.body["changes"] as string[];
    expect(changes.filter((line) => line.startsWith("Start a t4g.small"))).toHaveLength(3);
    expect(changes.filter((line) => line.startsWith("Move the leader"))).toHaveLength(1);
  });

  test("of the record alone has no changes", async () => {
    const reply = await patch({ deletionProtection: true }, "?dryRun=true");
    expect(reply.body).toMatchObject({ changes: [], interrupts: [] });
  });
});

describe("POST …/scale", () => {
  test("changes members, and etcd's members with them where they follow", async () => {
    const down = await scale({ members: 1 });
    expect(specOf(down)).toMatchObject({ members: 1, dcs: { members: 1 } });
    await end(down);
    expect(specOf(await scale({ members: 5 }))).toMatchObject({ members: 5, dcs: { members: 3 } });
  });

  test("leaves etcd's members as they were asked for, and refuses what they do not fit into", async () => {
    await end(await patch({ members: 7, dcs: { members: 5 } }));
    const reply = await scale({ members: 3 });
    expect(code(reply)).toEqual([422, "invalid-request"]);
    expect(errorsOf(reply)[0]?.path).toBe("/dcs/members");
  });

  test("changes size and storage", async () => {
    const reply = await scale({ instanceType: "t4g.small", storageGiB: 40 });
    expect(specOf(reply)).toMatchObject({ instanceType: "t4g.small", storage: { sizeGiB: 40 } });
  });

  test("as a dry run answers the plan", async () => {
    const reply = await scale({ storageGiB: 40 }, "?dryRun=true");
    const changes = reply.body["changes"] as string[];
    expect(changes.filter((line) => line.startsWith("Grow the volume"))).toHaveLength(3);
    await expectNothingChanged();
  });

  test.each<[unknown, string, string]>([
    [{}, "invalid-request", ""],
    [{ members: 0 }, "invalid-request", "/members"],
    [{ members: 10 }, "invalid-request", "/members"],
    [{ members: 2.5 }, "invalid-request", "/members"],
    [{ storageGiB: 19 }, "storage-cannot-shrink", "/storage/sizeGiB"],
    [{ storageGiB: 20_000 }, "invalid-request", "/storageGiB"],
    [{ instanceType: "huge" }, "invalid-request", "/instanceType"],
    [{ nodes: 5 }, "invalid-request", "/nodes"],
  ])("refuses %j, and nothing changes", async (body, expected, path) => {
    const reply = await scale(body);
    expect(code(reply), reply.text).toEqual([422, expected]);
    expect(errorsOf(reply).map((error) => error.path)).toContain(path);
    await expectNothingChanged();
  });
});
