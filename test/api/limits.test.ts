import { afterAll, beforeAll, expect, test } from "vitest";
import { Worlds } from "./support/world.ts";

let worlds: Worlds;
beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());

const limits = { vcpus: 4, storageGiB: 100, nodes: 4 };

test("a cluster above the environment's limits is not created, and every field that is above is named", async () => {
  const world = await worlds.make({ limits });
  const body = { name: "orders", instanceType: "m7g.2xlarge", storage: { sizeGiB: 500 }, members: 5 };
  const refused = await world.call("POST", "/v1/clusters", { body });
  expect(refused).toMatchObject({ status: 422, body: { code: "invalid-request" } });
  expect(refused.body["errors"]).toMatchObject([
    {
      path: "/instanceType",
      message: "m7g.2xlarge has 8 vCPUs, and this environment gives a node 4 at most",
    },
    { path: "/storage/sizeGiB", message: "must be at most 100 in this environment, not 500" },
    { path: "/members", message: "the cluster would have 5 nodes, and this environment gives one 4 at most" },
  ]);
  const taken = await world.call("POST", "/v1/clusters", { body: { name: "orders", members: 3 } });
  expect(taken.status).toBe(202);
});

test("a change above a limit is refused, and one that leaves alone what is above it is not", async () => {
  const world = await worlds.make({ limits });
  const cluster = await world.makeAvailable("orders");
  const path = `/v1/clusters/${cluster.id}`;
  const grown = await world.call("PATCH", path, { body: { storage: { sizeGiB: 200 } } });
  expect(grown).toMatchObject({ status: 422, body: { errors: [{ path: "/storage/sizeGiB" }] } });
  const large = { ...cluster.spec, name: "invoices", storage: { sizeGiB: 200 } };
  const other = await world.makeAvailable("invoices", { spec: large });
  const tagged = await world.call("PATCH", `/v1/clusters/${other.id}`, { body: { tags: { team: "shop" } } });
  expect(tagged.status).toBe(202);
});
