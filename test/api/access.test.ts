import type { Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  world.securityGroups.there.add(web).add(jobs);
});

const [web, jobs, gone] = ["sg-0a1b2c3d", "sg-0a1b2c3e", "sg-0a1b2c3f"];

const call = (method: string, path: string, body?: unknown): Promise<Reply> =>
  world.call(method, path, { role: "admin", ...(body === undefined ? {} : { body }) });
const patch = (cluster: Cluster, body: unknown, query = "") =>
  call("PATCH", `/v1/clusters/${cluster.id}${query}`, body);
const specOf = (reply: Reply) => (reply.body["cluster"] as Cluster).spec;
const pathsOf = (reply: Reply) => (reply.body["errors"] as { path: string }[]).map(({ path }) => path);

async function expectRefused(status: number, code: string, ask: () => Promise<Reply>): Promise<Reply> {
  const before = await world.items();
  const reply = await ask();
  expect([reply.status, reply.body["code"]], reply.text).toEqual([status, code]);
  expect(await world.items()).toEqual(before);
  expect(world.executions.started).toEqual([]);
  return reply;
}

/** A cluster that names these groups, with a backup. */
async function namingCluster(securityGroupIds: readonly string[]): Promise<Cluster> {
  const { spec } = await world.makeAvailable("drawn");
  const access = { cidrs: [], securityGroupIds: [...securityGroupIds] };
  const cluster = await world.makeAvailable("orders", { spec: { ...spec, name: "orders", access } });
  const wal = { walStart: "00000001000000000000000C", walStop: "00000001000000000000000C" };
  await world.makeBackup(cluster.id, { ...wal, lsnStart: "0/C000028", lsnStop: "0/C000120" });
  world.repositories.keep(12, 13);
  return cluster;
}

describe("security groups that a create names", () => {
  const create = (securityGroupIds: readonly string[], query = "") =>
    call("POST", `/v1/clusters${query}`, { name: "orders", access: { securityGroupIds } });

  test("are kept in the spec when the VPC has them", async () => {
    const reply = await create([web, jobs]);
    expect(reply.status, reply.text).toBe(202);
    expect(specOf(reply).access).toEqual({ cidrs: [], securityGroupIds: [web, jobs] });
  });

  test("are refused by their place when the VPC has them not, as a dry run too", async () => {
    for (const query of ["", "?dryRun=true"]) {
      const reply = await expectRefused(422, "security-group-unknown", () => create([web, gone], query));
      expect(pathsOf(reply)).toEqual(["/access/securityGroupIds/1"]);
      expect(reply.body["detail"]).toContain(gone);
    }
  });

  test("may stand beside networks, and an address that is none is refused with the network it lies in", async () => {
    const access = { cidrs: ["192.0.2.0/24", "10.0.0.1/8"], securityGroupIds: [web] };
    const reply = await expectRefused(422, "invalid-request", () =>
      call("POST", "/v1/clusters", { name: "orders", access }),
    );
    expect(reply.body["errors"]).toEqual([
      { path: "/access/cidrs/1", message: "10.0.0.1/8 is not a network; it lies in 10.0.0.0/8" },
    ]);
  });

  test("are none by default, and then EC2 is not asked", async () => {
    const reply = await call("POST", "/v1/clusters", { name: "orders" });
    expect(specOf(reply).access).toEqual({ cidrs: [], securityGroupIds: [] });
    expect(world.securityGroups.asked).toEqual([]);
  });
});

describe("a PATCH", () => {
  test("names others, and what it would do is said without touching a node", async () => {
    const cluster = await namingCluster([web]);
    const body = { access: { securityGroupIds: [jobs] } };
    const dry = await patch(cluster, body, "?dryRun=true");
    expect(dry.body["changes"]).toEqual(["Change who may connect."]);
    const reply = await patch(cluster, body);
    expect(reply.status, reply.text).toBe(202);
    expect(specOf(reply).access).toEqual({ cidrs: [], securityGroupIds: [jobs] });
    expect(reply.body["operation"]).toMatchObject({ request: { isRecordOnly: false } });
  });

  test("of the same groups in another order changes nobody's access", async () => {
    const cluster = await namingCluster([web, jobs]);
    const dry = await patch(cluster, { access: { securityGroupIds: [jobs, web] } }, "?dryRun=true");
    expect(dry.body["changes"]).toEqual([]);
  });

  test("that names one which the VPC has not is refused", async () => {
    const cluster = await namingCluster([web]);
    const reply = await expectRefused(422, "security-group-unknown", () =>
      patch(cluster, { access: { securityGroupIds: [web, gone] } }),
    );
    expect(pathsOf(reply)).toEqual(["/access/securityGroupIds/1"]);
    expect(world.securityGroups.asked).toEqual([[gone]]);
  });

  test("of something else does not wait for a group that went all the same", async () => {
    const cluster = await namingCluster([gone]);
    expect((await patch(cluster, { deletionProtection: true })).status).toBe(202);
  });
});

describe("a cluster that is made from backups", () => {
  const restore = (cluster: Cluster, newCluster: object) =>
    call("POST", `/v1/clusters/${cluster.id}/restore`, {
      target: "immediate",
      into: { newCluster: { name: "again", ...newCluster } },
    });

  test("is refused where a group that it takes over is gone, and gets another one", async () => {
    const cluster = await namingCluster([gone]);
    const reply = await expectRefused(422, "security-group-unknown", () => restore(cluster, {}));
    expect(pathsOf(reply)).toEqual(["/into/newCluster/access/securityGroupIds/0"]);
    const other = await restore(cluster, { access: { securityGroupIds: [web] } });
    expect(specOf(other).access.securityGroupIds).toEqual([web]);
  });

  test("is not brought back where a group of its spec is gone", async () => {
    const cluster = await namingCluster([gone]);
    await world.deleteCluster(cluster);
    const undelete = () => call("POST", `/v1/clusters/${cluster.id}/undelete`);
    const reply = await expectRefused(422, "security-group-unknown", undelete);
    expect(reply.body["detail"]).toContain(gone);
  });
});

describe("a DELETE", () => {
  test("is refused while other groups name the cluster's, and says which, as a dry run too", async () => {
    const cluster = await namingCluster([]);
    const reader = await world.makeAvailable("reader");
    world.securityGroups.namedBy = [
      { securityGroupId: web, clusterId: null },
      { securityGroupId: jobs, clusterId: reader.id },
    ];
    for (const query of ["", "?dryRun=true"]) {
      const reply = await expectRefused(409, "security-group-in-use", () =>
        call("DELETE", `/v1/clusters/${cluster.id}${query}`),
      );
      expect(reply.body["detail"]).toContain(`${web}, ${jobs} (cluster ${reader.id}`);
    }
    world.securityGroups.namedBy = [];
    expect((await call("DELETE", `/v1/clusters/${cluster.id}`)).status).toBe(202);
  });
});
