import {
  type Cluster,
  type ClusterNode,
  forecastRestart,
  nodeIdSchema,
  Problem,
  type RollingChange,
  type restartRequestSchema,
  rollingMember,
} from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, flagQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/restart",
  operationId: "restartCluster",
  tag: "clusters",
  summary: "Restart PostgreSQL, one member at a time",
  description:
    "Replicas first, each until it streams again; before the leader's turn another one takes over, so that clients of the poolers see no error. A member that does not come up again stops the roll, with PostgreSQL's own message. A cancel takes effect between two members; those that were restarted stay restarted.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject({
    ...dryRunQuery,
    force: flagQuery(
      "`true`: the leader's role changes in spite of long transactions, lag and a queue of WAL.",
    ),
  }),
  body: named(
    "Restart",
    z
      .strictObject({
        nodeIds: z
          .array(nodeIdSchema)
          .min(1)
          .optional()
          .meta({ description: "Members to restart. Default: all of them." }),
        onlyPendingRestart: z.boolean().optional().meta({
          description: "Only members with a parameter that waits for a restart.",
          default: false,
        }),
      })
      .optional(),
  ),
  example: { onlyPendingRestart: true },
  responses: operationResponses,
  problems: [...operationProblems, "node-unknown", "cluster-unreachable"],
} as const;

export function restartCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkReady(call, cluster, "be restarted", ["available", "degraded"]);
    const { nodeIds: named, onlyPendingRestart = false } = call.body ?? {};
    const nodeIds = named === undefined ? null : [...new Set(checkMembers(named, cluster.nodes))];
    const request: z.infer<typeof restartRequestSchema> = {
      nodeIds,
      onlyPendingRestart,
      force: call.query.force,
    };
    const changes = call.query.dryRun ? await forecast(context, cluster, request) : [];
    const whom = nodeIds === null ? "every member" : nodeIds.join(", ");
    return startOperation(context, call, cluster, {
      kind: "restart-cluster",
      status: "updating",
      summary: `Restart ${whom}${onlyPendingRestart ? ", where a parameter waits for it" : ""}.`,
      request,
      interrupts: interruptsOf(cluster),
      warnings:
        call.query.dryRun && changes.length === 0 ? ["There is nothing that a restart would change."] : [],
      preview: { changes: changes.map(sentenceOf) },
    });
  });
}

/** @throws {Problem} `node-unknown` */
function checkMembers(nodeIds: readonly string[], nodes: readonly ClusterNode[]) {
  const members = nodes.filter((node) => node.services.includes("postgres"));
  return nodeIds.map((nodeId, index) => {
    const found = members.find((node) => node.id === nodeId);
    if (found !== undefined) return found.id;
    throw new Problem(
      "node-unknown",
      `${nodeId} is not a member of this cluster. Its members are ${members.map((node) => node.id).join(", ")}.`,
      {
        errors: [{ path: `/nodeIds/${index}`, message: "must be the node id of a member of this cluster" }],
      },
    );
  });
}

async function forecast(
  context: ApiContext,
  cluster: Cluster,
  request: z.infer<typeof restartRequestSchema>,
): Promise<RollingChange[]> {
  const { shards } = await context.observer.observe(cluster);
  return shards.flatMap(({ members }) => forecastRestart(request, members.map(rollingMember)));
}

function interruptsOf({ spec }: Cluster): string[] {
  if (spec.members === 1) {
    return [
      "The only member restarts where it is: clients of port 6432 wait for a few seconds, every other connection is closed.",
    ];
  }
  return [
    "Connections to a member (ports 5001, 5002 and 5432) are closed when it restarts and can be opened again on another one.",
    "When the leader's role moves, clients of port 6432 wait for a fraction of a second, and connections to port 5000 are closed.",
  ];
}

const sentenceOf = (change: RollingChange): string =>
  change.kind === "move-leader"
    ? `Another member takes over from ${change.from}.`
    : `Restart ${change.nodeId}${change.isLeader ? " where it is, as the leader" : ""}.`;
