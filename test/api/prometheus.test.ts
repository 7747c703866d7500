import { type Cluster, clusterMetricsSchema, unknownHealth } from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";
import { toldCluster } from "../world/told-cluster.ts";
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

const metrics = (role: "viewer" | null = "viewer") => world.call("GET", "/v1/prometheus/metrics", { role });

test("a viewer reads how every cluster is, in Prometheus' own format and version", async () => {
  const { headers, status, text } = await metrics();
  expect([status, headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  expect(text).toContain('pgherd_clusters{environment="local"} ');
  for (const { id, name } of clusters)
    expect(text).toContain(
      `pgherd_cluster_status{environment="local",cluster="${name}",cluster_id="${id}",status="available"} 1\n`,
    );
});

test("what was found last, and when, is told of the cluster that it was found of", async () => {
  const cluster = await world.makeAvailable("sick");
  const at = "2026-01-01T02:00:00.000Z";
  await world.store.updateHealth(cluster.id, {
    status: "degraded",
    statusReason: "No full backup has been taken.",
    drift: [],
    record: { ...unknownHealth, findings: ["backup-late"], archivedUntil: at },
    events: [],
  });
  const seen = { ...toldCluster().metrics, observedAt: at, backupAgeSeconds: 60 };
  await world.store.putMetrics(cluster.id, clusterMetricsSchema.parse(seen));
  const { text } = await metrics();
  const labels = `environment="local",cluster="sick",cluster_id="${cluster.id}"`;
  const seconds = Date.parse(at) / 1000;
  for (const line of [
    `pgherd_cluster_finding{${labels},finding="backup-late"} 1`,
    `pgherd_cluster_observed_timestamp_seconds{${labels}} ${seconds}`,
    `pgherd_cluster_wal_archived_timestamp_seconds{${labels}} ${seconds}`,
    `pgherd_cluster_last_backup_timestamp_seconds{${labels}} ${seconds - 60}`,
  ])
    expect(text.split("\n")).toContain(line);
  expect(text.match(/^pgherd_cluster_finding\{/gm)).toHaveLength(1);
});

test("no node is asked for it", async () => {
  world.nodes.asked.length = 0;
  await metrics();
  expect(world.nodes.asked).toEqual([]);
});

test("a cluster that a drill throws away is nobody's", async () => {
  const [source] = clusters;
  const drillOf = { clusterId: source?.id ?? "", backupId: newId("backup"), operationId: newId("operation") };
  const { id } = await world.makeAvailable("thrown-away", { drillOf });
  expect((await metrics()).text).not.toContain(id);
});

test("whoever has no role is told nothing of clusters", async () => {
  expect((await metrics(null)).status).toBe(401);
});
