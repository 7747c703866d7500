import { clusterMetricsSchema, Problem } from "@pgherd/layers/domain";
import { answerSchema, defineRoute, noBody, noQuery, type Route } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import { findCluster } from "./find.ts";

const about = clusterMetricsSchema.shape;
const metricsAnswer = answerSchema("Metrics", () =>
  clusterMetricsSchema.extend({
    synchronousStandbysWanted: about.synchronousStandbysWanted.meta({ description: "As `durability` asks." }),
    replicationLagBytes: about.replicationLagBytes.meta({ description: "Of the replica furthest behind." }),
    walArchiveAgeSeconds: about.walArchiveAgeSeconds.meta({
      description: "How long the oldest WAL segment has been waiting for the archive; 0 where none waits.",
    }),
    backupAgeSeconds: about.backupAgeSeconds.meta({
      description:
        "Since the newest backup that a restore can begin with has ended; null where there is none.",
    }),
    diskUsedShare: about.diskUsedShare.meta({ description: "Of the fullest data volume, from 0 to 1." }),
    connectionsUsedShare: about.connectionsUsedShare.meta({
      description:
        "Of PostgreSQL's connections that are there for clients, on the node that has fewest left.",
    }),
    dcsUsedShare: about.dcsUsedShare.meta({ description: "Of etcd's quota." }),
    certificateSecondsLeft: about.certificateSecondsLeft.meta({
      description: "Of the certificate that ends first; negative once it has.",
    }),
  }),
);

export function getMetrics(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters/{clusterId}/metrics",
      operationId: "getMetrics",
      tag: "clusters",
      summary: "Get the newest metrics",
      description:
        "The newest numbers of the cluster's health: of the whole cluster, where the worst of its nodes counts, and of each node. Null: nobody could say. They are written once a minute, and not while an operation changes the cluster; CloudWatch has their history. `wrong-status` as long as nobody has looked at the cluster, or nobody has for a day.",
      role: "viewer",
      isMutation: false,
      params: clusterParams,
      query: noQuery,
      body: noBody,
      responses: { 200: { description: "The numbers, and when they were observed.", schema: metricsAnswer } },
      problems: ["not-found", "wrong-status"],
    },
    async ({ params }) => {
      const { id, status, statusReason } = await findCluster(context, params.clusterId);
      const metrics = await context.store.readMetrics(id);
      if (metrics === null) {
        throw new Problem(
          "wrong-status",
          `Nobody has looked at cluster ${id} lately: it is ${status}. ${statusReason}`,
        );
      }
      return { status: 200, body: metrics };
    },
  );
}
