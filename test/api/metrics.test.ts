import type { Cluster, ClusterMetrics } from "@pgherd/layers/domain";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;

beforeAll(async () => {
  worlds = await Worlds.start();
  world = await worlds.make();
  const reply = await world.call("POST", "/v1/clusters", { body: { name: "orders" } });
  cluster = reply.body["cluster"] as unknown as Cluster;
});
afterAll(() => worlds[Symbol.asyncDispose]());

const metrics = () => world.call("GET", `/v1/clusters/${cluster.id}/metrics`, { role: "viewer" });

const newest = (): ClusterMetrics => ({
  observedAt: new Date().toISOString(),
  hasLeader: true,
  synchronousStandbys: 1,
  synchronousStandbysWanted: 1,
  replicationLagBytes: 128,
  walArchiveAgeSeconds: 0,
  backupAgeSeconds: null,
  diskUsedShare: 0.25,
  connectionsUsedShare: 0.5,
  dcsUsedShare: 0.001,
  certificateSecondsLeft: -3,
  nodes: cluster.nodes.map(({ id }, index) => ({
    nodeId: id,
    diskUsedBytes: 1024,
    diskTotalBytes: 4096,
    walBytes: 16,
    walReadyCount: 0,
    lagBytes: index === 0 ? null : 128,
    connectionsUsed: 47,
    connectionsMax: 94,
    dcsBytes: null,
    certificateNotAfter: "2027-01-01T00:00:00.000Z",
    clockSkewMs: 0.5,
  })),
});

test("as long as nobody has looked at the cluster there are no numbers, and the answer says how it is", async () => {
  const { status, body } = await metrics();
  expect([status, body["code"]]).toEqual([409, "wrong-status"]);
  expect(body["detail"]).toContain("it is creating");
});

test("the newest numbers are answered as they were recorded, with the time of the look", async () => {
  const first = newest();
  await world.store.putMetrics(cluster.id, first);
  expect((await metrics()).body).toEqual(first);
  const second = { ...newest(), replicationLagBytes: 0 };
  await world.store.putMetrics(cluster.id, second);
  expect((await metrics()).body).toEqual(second);
});
