import {
  checkCandidate,
  type failoverRequestSchema,
  nodeIdSchema,
  Problem,
  possibleLoss,
} from "@pgherd/layers/domain";
import { assessRoleChange } from "@pgherd/layers/runtime";
import { defineRoute, dryRunQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/failover",
  operationId: "failoverCluster",
  tag: "clusters",
  summary: "Appoint a leader",
  description:
    "For when there is no leader, or the present one must go whatever it takes. Patroni fails over by itself wherever nothing is lost by it; this call is for the rest. `dryRun=true` says what may be lost, and where something may, the call needs `acknowledgeDataLoss`.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject(dryRunQuery),
  body: named(
    "Failover",
    z
      .strictObject({
        candidate: nodeIdSchema
          .optional()
          .meta({ description: "Node id of a replica. Default: the one that has the most." }),
        shard: z.literal(0).optional().meta({ description: "Shard.", default: 0 }),
        acknowledgeDataLoss: z
          .boolean()
          .optional()
          .meta({ description: "Goes on although acknowledged transactions may be lost.", default: false }),
      })
      .optional(),
  ),
  example: { acknowledgeDataLoss: false },
  responses: operationResponses,
  problems: [
    ...operationProblems,
    "no-candidate",
    "candidate-unknown",
    "candidate-is-leader",
    "dcs-without-quorum",
    "data-loss-not-acknowledged",
    "cluster-unreachable",
  ],
} as const;

export function failoverCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkReady(call, cluster, "be failed over", ["available", "degraded", "failed"]);
    const { candidate = null, shard = 0, acknowledgeDataLoss = false } = call.body ?? {};
    if (candidate !== null) checkCandidate(candidate, shard, cluster.nodes, null);
    const assessment = await assessRoleChange(context.commands, cluster, { shard, candidate });
    if (candidate !== null) checkCandidate(candidate, shard, cluster.nodes, assessment.leader);
    if (!assessment.dcs.quorum) {
      throw new Problem("dcs-without-quorum", "etcd has no majority: nobody can become the leader.");
    }
    const { leader: from, candidate: to } = assessment;
    if (to === null) throw new Problem("no-candidate", "No replica runs that could take over.");
    const loss = possibleLoss(assessment);
    if (loss !== null && !acknowledgeDataLoss && !call.query.dryRun) {
      throw new Problem(
        "data-loss-not-acknowledged",
        `${loss} Send acknowledgeDataLoss: true to go on all the same.`,
        { errors: [{ path: "/acknowledgeDataLoss", message: "must be true to go on all the same" }] },
      );
    }
    const request: z.infer<typeof failoverRequestSchema> = { shard, from, candidate: to };
    return startOperation(context, call, cluster, {
      kind: "failover-cluster",
      status: "updating",
      summary: `Make ${to} the leader${from === null ? "" : ` in place of ${from}`}.`,
      request,
      interrupts: ["Every connection to the present leader is closed."],
      warnings: loss === null ? [] : [loss],
      preview: { preflight: assessment },
    });
  });
}
