import {
  checkCandidate,
  nodeIdSchema,
  objectionProblem,
  objectionsTo,
  type switchoverRequestSchema,
} from "@pgherd/layers/domain";
import { assessRoleChange } from "@pgherd/layers/runtime";
import { defineRoute, dryRunQuery, flagQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/switchover",
  operationId: "switchoverCluster",
  tag: "clusters",
  summary: "Hand the leader's role over",
  description:
    "Moves the leader to `candidate`, or to the replica that suits best, without an error for clients of the poolers: they are held for a moment, which the operation's `result.pauseMs` tells. Refused where it would hurt; `dryRun=true` answers what the nodes say.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject({
    ...dryRunQuery,
    force: flagQuery("`true`: goes on in spite of long transactions, lag and a queue of WAL to archive."),
  }),
  body: named(
    "Switchover",
    z
      .strictObject({
        candidate: nodeIdSchema
          .optional()
          .meta({ description: "Node id of a replica. Default: the one that suits best." }),
        shard: z.literal(0).optional().meta({ description: "Shard.", default: 0 }),
      })
      .optional(),
  ),
  example: {},
  responses: operationResponses,
  problems: [
    ...operationProblems,
    "no-leader",
    "no-candidate",
    "candidate-unknown",
    "candidate-is-leader",
    "candidate-not-synchronous",
    "member-not-streaming",
    "replication-lag",
    "long-transaction",
    "archive-queue",
    "role-change-in-progress",
    "dcs-without-quorum",
    "cluster-unreachable",
  ],
} as const;

export function switchoverCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkReady(call, cluster, "be switched over", ["available", "degraded"]);
    const { candidate = null, shard = 0 } = call.body ?? {};
    const { force } = call.query;
    if (candidate !== null) checkCandidate(candidate, shard, cluster.nodes, null);
    const assessment = await assessRoleChange(context.commands, cluster, { shard, candidate });
    if (candidate !== null) checkCandidate(candidate, shard, cluster.nodes, assessment.leader);
    const [objection] = objectionsTo(assessment, { candidate, force });
    if (objection !== undefined) throw objectionProblem(objection);
    const { leader: from, candidate: to } = assessment;
    if (from === null || to === null)
      throw new Error("an assessment without objection has leader and candidate");
    const request: z.infer<typeof switchoverRequestSchema> = { shard, from, candidate, force };
    return startOperation(context, call, cluster, {
      kind: "switchover-cluster",
      status: "updating",
      summary: `Hand the leader's role from ${from} to ${to}.`,
      request,
      interrupts: [
        "Clients of port 6432 wait for a fraction of a second.",
        "Connections to port 5000 are closed and can be opened again at once.",
      ],
      preview: { preflight: assessment },
    });
  });
}
