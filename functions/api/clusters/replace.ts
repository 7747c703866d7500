import {
  type Cluster,
  type ClusterNode,
  type ConvergeRequest,
  clusterIdSchema,
  nodeIdSchema,
  Problem,
} from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { checkConvergeable, startConverge } from "../converge.ts";
import { operationProblems, operationResponses } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/nodes/{nodeId}/replace",
  operationId: "replaceNode",
  tag: "clusters",
  summary: "Replace a node's machine",
  description:
    "Another instance takes the node's place, with its address, its volume and its part in etcd. With `fresh` it gets a new volume and clones its data, and the old volume goes once that is done; with `zone` it also moves there and gets a new address. A leader hands over first, and the node's own pooler lets its clients go between transactions.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: z.object({ clusterId: clusterIdSchema, nodeId: nodeIdSchema }),
  query: z.strictObject(dryRunQuery),
  body: named(
    "Replace",
    z
      .strictObject({
        fresh: z
          .boolean()
          .optional()
          .meta({ description: "A new volume, and a clone of the data.", default: false }),
        zone: z
          .string()
          .min(1)
          .max(64)
          .optional()
          .meta({ description: "Zone to move to. Default: the one that it is in." }),
      })
      .optional(),
  ),
  example: { fresh: true },
  responses: operationResponses,
  problems: [...operationProblems, "zone-unknown", "only-copy"],
} as const;

export function replaceNode(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const { clusterId, nodeId } = call.params;
    const cluster = await findCluster(context, clusterId);
    const node = cluster.nodes.find((one) => one.id === nodeId);
    if (node === undefined) throw new Problem("not-found", `Cluster ${clusterId} has no node ${nodeId}.`);
    checkConvergeable(call, cluster, "have a node replaced");
    const { fresh = false, zone = null } = call.body ?? {};
    if (zone !== null) checkZone(context, node, zone);
    const isFresh = fresh || zone !== null;
    if (isFresh) checkCopies(cluster, node);
    const replace: ConvergeRequest["replace"] = {
      nodeId,
      instanceId: node.instanceId,
      volumeId: isFresh ? node.volumeId : null,
      zone,
    };
    return startConverge(context, call, cluster, {
      verb: "have a node replaced",
      summary: `Replace node ${nodeId}${zone === null ? "" : ` and move it to ${zone}`}${isFresh ? ", with a new volume" : ""}.`,
      spec: cluster.spec,
      warnings:
        zone === null ? [] : ["The node gets a new address: clients that list the old one need the new."],
      apply: "reload",
      replace,
    });
  });
}

function checkZone({ settings }: ApiContext, node: ClusterNode, zone: string): void {
  const zones = Object.keys(settings.subnets).toSorted();
  const others = zones.filter((one) => one !== node.zone);
  if (others.includes(zone)) return;
  const what = zones.includes(zone) ? "is where the node is already" : "is not a zone of this environment";
  throw new Problem("zone-unknown", `Zone "${zone}" ${what}. The node can move to ${others.join(" or ")}.`, {
    errors: [{ path: "/zone", message: `must be one of ${others.join(", ")}` }],
  });
}

/** What has no second copy is not given up. */
function checkCopies({ spec, nodes }: Cluster, node: ClusterNode): void {
  const data = nodes.filter((one) => one.services.includes("postgres"));
  const isLastData = node.services.includes("postgres") && data.length === 1;
  const isLastDcs =
    node.services.includes("etcd") &&
    spec.dcs.members === 1 &&
    (spec.dcs.placement === "dedicated" || data.length === 1);
  if (!isLastData && !isLastDcs) return;
  throw new Problem(
    "only-copy",
    `Node ${node.id} has the only copy of ${isLastData ? "the cluster's data" : "what etcd knows"}. Scale out first, or replace it without fresh and zone.`,
  );
}
