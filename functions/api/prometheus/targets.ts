import { prometheusTargets } from "@pgherd/layers/domain";
import { defineRoute, noBody, noParams, noQuery, type Route, z } from "@pgherd/layers/runtime/http";
import { allClusters } from "../../all-clusters.ts";
import type { ApiContext } from "../context.ts";

const targets = () =>
  z.array(
    z.object({
      targets: z.array(z.string()).meta({ description: "Address and port; paths are the jobs' affair." }),
      labels: z
        .record(z.string(), z.string())
        .meta({ description: "`environment`, `cluster`, `cluster_id`, `node`, `shard`, `zone`." }),
    }),
  );

export function listPrometheusTargets({ settings, store }: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/prometheus/targets",
      operationId: "listPrometheusTargets",
      tag: "clusters",
      summary: "List the nodes for Prometheus",
      description:
        "Every node of every cluster, in the form that Prometheus takes from `http_sd_configs` and from a file; a list of this kind has no pages. Nodes that are stopped, or not there yet, are left out.",
      role: "viewer",
      isMutation: false,
      params: noParams,
      query: noQuery,
      body: noBody,
      responses: { 200: { description: "Nodes and their labels.", schema: targets } },
      problems: [],
    },
    async () => ({ status: 200, body: prometheusTargets(settings.environment, await allClusters(store)) }),
  );
}
