import { expect, test } from "vitest";
import {
  type Cluster,
  completeSpec,
  layoutNodes,
  newCluster,
  prometheusTargets,
} from "../../../layers/domain/index.ts";

function clusterOf(
  body: Partial<Parameters<typeof completeSpec>[0]>,
  change: Partial<Cluster> = {},
): Cluster {
  const spec = completeSpec(
    { name: "orders", members: 1, ...body },
    { instanceType: "t4g.medium", deletionProtection: false },
  );
  const count = spec.members + (spec.dcs.placement === "dedicated" ? spec.dcs.members : 0);
  const ids = Array.from({ length: count }, (_, index) => `nod_${index}`);
  const nodes = layoutNodes(spec, ["a", "b"], ids).map((node, index) => ({
    ...node,
    state: "running" as const,
    address: `10.0.0.${index + 1}`,
  }));
  const made = newCluster({
    id: "clu_1",
    spec,
    statusReason: "",
    activeOperationId: null,
    createdAt: "2026-01-01T00:00:00.000Z",
    nodes,
  });
  return { ...made, status: "available", ...change };
}

const endpointsOf = (cluster: Cluster) =>
  prometheusTargets("test", [cluster]).map(({ labels }) => labels["__meta_pgherd_endpoints"]);

test("a node is found by its address and named by whatever people know it by", () => {
  expect(prometheusTargets("test", [clusterOf({})])).toEqual([
    {
      targets: ["10.0.0.1:9187"],
      labels: {
        environment: "test",
        cluster: "orders",
        cluster_id: "clu_1",
        node: "nod_0",
        shard: "0",
        zone: "a",
        __meta_pgherd_synchronous_standbys: "0",
        __meta_pgherd_endpoints: ",node,postgres,patroni,etcd,haproxy,pgbouncer,",
      },
    },
  ]);
});

test("a node is asked for what it runs", () => {
  expect(
    endpointsOf(clusterOf({ dcs: { members: 1, placement: "dedicated" }, pooler: { enabled: false } })),
  ).toEqual([",node,postgres,patroni,haproxy,", ",node,etcd,"]);
});

test("a machine that is lost is still asked; nodes that are stopped, or not there yet, are not", () => {
  const cluster = clusterOf({ members: 3 });
  const nodes = (["terminated", "stopped", "pending"] as const).flatMap((state, index) =>
    cluster.nodes.slice(index, index + 1).map((node) => ({ ...node, state })),
  );
  expect(prometheusTargets("test", [{ ...cluster, nodes }]).map(({ labels }) => labels["node"])).toEqual([
    "nod_0",
  ]);
});

test("clusters that come, go, or prove a backup are nobody's to watch", () => {
  const drillOf = { clusterId: "clu_2", backupId: "bkp_1", operationId: "opn_1" };
  for (const change of [{ status: "creating" }, { status: "deleting" }, { drillOf }] as const)
    expect(prometheusTargets("test", [clusterOf({}, change)])).toEqual([]);
});
