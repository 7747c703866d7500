import type { Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let clusters: readonly Cluster[];

beforeAll(async () => {
  worlds = await Worlds.start();
  world = await worlds.make();
  clusters = [await world.makeAvailable("orders"), await world.makeAvailable("events")];
});
afterAll(() => worlds[Symbol.asyncDispose]());

test("a viewer finds every node of every cluster, as Prometheus takes it: a list without pages", async () => {
  const { status, text } = await world.call("GET", "/v1/prometheus/targets", { role: "viewer" });
  expect(status).toBe(200);
  const targets: unknown = JSON.parse(text);
  expect(targets).toHaveLength(clusters.flatMap(({ nodes }) => nodes).length);
  for (const { id, name, nodes } of clusters)
    for (const node of nodes)
      expect(targets).toContainEqual({
        targets: [`${node.address}:9187`],
        labels: expect.objectContaining({ cluster: name, cluster_id: id, node: node.id, zone: node.zone }),
      });
});

test("a cluster that is being made is not told of: Prometheus would miss what was never there", async () => {
  const { body } = await world.call("POST", "/v1/clusters", { body: { name: "young" } });
  const made = body["cluster"] as unknown as Cluster;
  const { text } = await world.call("GET", "/v1/prometheus/targets");
  expect(text).not.toContain(made.id);
});

test("whoever has no role learns nothing", async () => {
  const { status } = await world.call("GET", "/v1/prometheus/targets", { role: null });
  expect(status).toBe(401);
});
