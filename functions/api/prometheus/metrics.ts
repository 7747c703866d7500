import { clusterGaugesOf, renderText, textType } from "@pgherd/layers/domain";
import { defineRoute, noBody, noParams, noQuery, type Route, z } from "@pgherd/layers/runtime/http";
import { allClusters } from "../../all-clusters.ts";
import type { ApiContext } from "../context.ts";

/** An answer of Lambda has room for 6 MiB, and a cluster that is far from well takes 2.5 KiB. */
const clustersMax = 2_000;

export function getPrometheusMetrics({ settings, store }: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/prometheus/metrics",
      operationId: "getPrometheusMetrics",
      tag: "clusters",
      summary: "Get how all clusters are, for Prometheus",
      description: `What the nodes' own metrics do not show, in Prometheus' text format (0.0.4): of each cluster its status, what the status complains of, and the newest of its backups, drills, verifications, WAL archive and certificates. It is read from records of the last minute or two, so no node notices. Of more than ${clustersMax} clusters the oldest are told of, and \`pgherd_clusters_left_out\` counts the others.`,
      role: "viewer",
      isMutation: false,
      params: noParams,
      query: noQuery,
      body: noBody,
      responses: {
        200: { description: "Metrics in text.", schema: () => z.string(), contentType: "text/plain" },
      },
      problems: [],
    },
    async () => {
      // What a drill is about to throw away is nobody's.
      const all = (await allClusters(store)).filter(({ drillOf }) => drillOf === null);
      // The newest come first.
      const clusters = all.toReversed().slice(0, clustersMax);
      const looks = await store.readLastLooks(clusters.map(({ id }) => id));
      const told = clusters.flatMap((cluster) => {
        const look = looks.get(cluster.id);
        return look === undefined ? [] : [{ cluster, ...look }];
      });
      const gauges = clusterGaugesOf(settings.environment, told, all.length - told.length);
      return { status: 200, body: renderText(gauges), contentType: textType };
    },
  );
}
