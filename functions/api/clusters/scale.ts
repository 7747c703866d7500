import { type Cluster, type ClusterSpec, type Patch, specFields } from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { changedSpec, checkConvergeable, convergeProblems, startConverge } from "../converge.ts";
import { clusterParams } from "../schemas.ts";
import { operationResponses } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const body = z
  .strictObject({
    members: specFields.members.optional().meta({
      description:
        "PostgreSQL nodes. The youngest go first. `dcs.members` follows where it is what a cluster of that size has by itself.",
    }),
    instanceType: specFields.instanceType
      .optional()
      .meta({ description: "Node by node, the leader last and after a role change." }),
    storageGiB: specFields.storage.shape.sizeGiB
      .optional()
      .meta({ description: "Each node's data volume, which grows while PostgreSQL runs and never shrinks." }),
  })
  .refine((given) => Object.values(given).some((value) => value !== undefined), {
    message: "must name at least one of members, instanceType, storageGiB",
  });

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/scale",
  operationId: "scaleCluster",
  tag: "clusters",
  summary: "Scale a cluster",
  description:
    "The same as a patch of `members`, `instanceType` and `storage.sizeGiB`. New members are there before others go; clients of the poolers that stay notice nothing.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject(dryRunQuery),
  body: named("Scale", body),
  example: { members: 5 },
  responses: operationResponses,
  problems: convergeProblems,
} as const;

export function scaleCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkConvergeable(call, cluster, "be scaled");
    const { spec, warnings } = changedSpec(context, cluster, patchOf(call.body));
    return startConverge(context, call, cluster, {
      verb: "be scaled",
      summary: summaryOf(cluster, spec),
      spec,
      warnings,
      apply: "reload",
      replace: null,
    });
  });
}

function patchOf({ members, instanceType, storageGiB }: z.infer<typeof body>): Patch {
  return {
    ...(members === undefined ? {} : { members }),
    ...(instanceType === undefined ? {} : { instanceType }),
    ...(storageGiB === undefined ? {} : { storage: { sizeGiB: storageGiB } }),
  };
}

function summaryOf({ name, spec: before }: Cluster, after: ClusterSpec): string {
  const parts = [
    [before.members, after.members, "members"],
    [before.instanceType, after.instanceType, ""],
    [before.storage.sizeGiB, after.storage.sizeGiB, "GiB"],
  ] as const;
  const changed = parts
    .filter(([from, to]) => from !== to)
    .map(([from, to, unit]) => `from ${from} to ${to} ${unit}`.trimEnd());
  return changed.length === 0 ? `Scale "${name}" to what it is.` : `Scale "${name}" ${changed.join(", ")}.`;
}
