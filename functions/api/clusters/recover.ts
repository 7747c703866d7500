import { type Cluster, nodeIdSchema, Problem, type recoverRequestSchema } from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/recover",
  operationId: "recoverCluster",
  tag: "clusters",
  summary: "Rebuild etcd from a survivor",
  description:
    "For when so many nodes have lost their data that etcd can never have a majority again: nothing leads then, and nothing repairs itself. etcd starts anew from the survivor, whose PostgreSQL leads from then on, and the other nodes are built up again from it. What was committed elsewhere and had not reached the survivor is lost; that takes `acknowledgeDataLoss`. Refused while etcd has its majority.",
  role: "admin",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject(dryRunQuery),
  body: named(
    "Recover",
    z.strictObject({
      acknowledgeDataLoss: z
        .boolean()
        .optional()
        .meta({ description: "Goes on although acknowledged transactions may be lost.", default: false }),
      survivor: nodeIdSchema.optional().meta({
        description: "Node to rebuild from. Default: of those that answer, the one that has the most.",
      }),
    }),
  ),
  example: { acknowledgeDataLoss: true },
  responses: operationResponses,
  problems: [
    ...operationProblems,
    "dcs-has-quorum",
    "survivor-unknown",
    "data-loss-not-acknowledged",
    "cluster-unreachable",
  ],
} as const;

export function recoverCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkReady(call, cluster, "be recovered", ["available", "degraded", "failed"]);
    const { acknowledgeDataLoss = false, survivor = null } = call.body;
    if (survivor !== null) checkSurvivor(cluster, survivor);
    const { dcs } = await context.observer.observe(cluster);
    if (dcs.quorum) {
      throw new Problem(
        "dcs-has-quorum",
        `etcd of cluster ${cluster.id} has its majority: nodes come back without a loss. Replace those that are gone.`,
      );
    }
    if (!acknowledgeDataLoss && !call.query.dryRun) {
      throw new Problem(
        "data-loss-not-acknowledged",
        "What the survivor has not received is lost for good. Send acknowledgeDataLoss: true to go on all the same.",
        { errors: [{ path: "/acknowledgeDataLoss", message: "must be true to go on all the same" }] },
      );
    }
    const request: z.infer<typeof recoverRequestSchema> = { survivor };
    return startOperation(context, call, cluster, {
      kind: "recover-cluster",
      status: "updating",
      summary: `Rebuild etcd from ${survivor ?? "the node that has the most"}, and the other nodes after it.`,
      request,
      interrupts: ["Every connection, until the survivor leads."],
      warnings: ["Acknowledged transactions that the survivor has not received are lost."],
    });
  });
}

function checkSurvivor({ id, nodes }: Cluster, survivor: string): void {
  const able = nodes.filter((node) => node.services.includes("postgres")).map((node) => node.id);
  if (able.includes(survivor)) return;
  throw new Problem(
    "survivor-unknown",
    `Cluster ${id} has no node ${survivor} with data. It can be rebuilt from ${able.join(", ")}.`,
    { errors: [{ path: "/survivor", message: `must be one of ${able.join(", ")}` }] },
  );
}
