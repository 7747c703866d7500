import { Problem, type reinitializeRequestSchema, synchronousStandbys } from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, noBody, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { nodeParams } from "../schemas.ts";
import { checkReady, operationProblems, operationResponses, startOperation } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/nodes/{nodeId}/reinitialize",
  operationId: "reinitializeNode",
  tag: "clusters",
  summary: "Clone a replica again",
  description:
    "Removes the data of a replica that is damaged or too far behind and clones it from the leader. Instance, volume and address stay; the step's detail tells how far the clone is. Refused for the leader. It cannot be cancelled once the data is gone: a cancel only stops waiting, and the member goes on cloning.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: nodeParams,
  query: z.strictObject(dryRunQuery),
  body: noBody,
  responses: operationResponses,
  problems: [...operationProblems, "node-unknown", "node-is-leader", "no-leader", "cluster-unreachable"],
} as const;

export function reinitializeNode(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const { clusterId, nodeId } = call.params;
    const cluster = await findCluster(context, clusterId);
    checkReady(call, cluster, "have a node reinitialized", ["available", "degraded"]);
    const node = cluster.nodes.find((one) => one.id === nodeId);
    if (node === undefined) throw new Problem("not-found", `Cluster ${clusterId} has no node ${nodeId}.`);
    if (!node.services.includes("postgres")) {
      throw new Problem("node-unknown", `${nodeId} runs no PostgreSQL: there is nothing to clone.`);
    }
    const { shards } = await context.observer.observe(cluster);
    const shard = shards.find((one) => one.shard === node.shard);
    if (shard?.leader == null) {
      throw new Problem("no-leader", "The shard has no leader that the node could be cloned from.");
    }
    if (shard.leader === nodeId) {
      throw new Problem(
        "node-is-leader",
        `${nodeId} leads, and the others are copies of its data. After a switchover it can be cloned from the next leader.`,
      );
    }
    const standbys = shard.members.filter((one) => one.nodeId !== nodeId && one.state === "streaming").length;
    const request: z.infer<typeof reinitializeRequestSchema> = { nodeId: node.id };
    return startOperation(context, call, cluster, {
      kind: "reinitialize-node",
      status: "updating",
      summary: `Remove the data of ${nodeId} and clone it from ${shard.leader}.`,
      request,
      interrupts: [`Connections to ${nodeId} are closed; it takes none until its clone streams.`],
      warnings: standbys < synchronousStandbys(cluster.spec) ? [standbyWarning(cluster.spec.durability)] : [],
    });
  });
}

const standbyWarning = (durability: string): string =>
  durability === "strict" || durability === "quorum"
    ? "There is no other standby: commits wait until the clone streams."
    : "There is no other standby: until the clone streams, a commit is on the leader alone.";
