import { patchClusterBodySchema } from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import { checkAccess } from "../access.ts";
import type { ApiContext } from "../context.ts";
import { changedSpec, checkConvergeable, convergeProblems, startConverge } from "../converge.ts";
import { clusterParams } from "../schemas.ts";
import { operationResponses } from "../start-operation.ts";
import { findCluster } from "./find.ts";

const definition = {
  method: "patch",
  path: "/v1/clusters/{clusterId}",
  operationId: "patchCluster",
  tag: "clusters",
  summary: "Change a cluster",
  description:
    "A merge patch (RFC 7396) of the spec: what is named changes, `null` goes back to the default, lists are replaced whole. The operation makes the cluster what its spec says then, one change after the other; `{}` repairs what differs. `dryRun=true` answers every change in order. A cancel, or a failure, leaves what is done done and the spec as it was asked for: the next patch goes on from there. Only where PostgreSQL does not start with what was asked for, or an extension that goes is in use, the spec goes back to what it was.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject({
    ...dryRunQuery,
    apply: z.enum(["reload", "restart"]).default("reload").meta({
      description:
        "`restart`: what waits for a restart of PostgreSQL gets one, replicas first, the leader after it has handed over.",
      default: "reload",
    }),
  }),
  body: named("PatchCluster", patchClusterBodySchema),
  bodyTypes: ["application/merge-patch+json", "application/json"],
  example: { parameters: { work_mem: "16MB", log_min_duration_statement: null } },
  responses: operationResponses,
  problems: [...convergeProblems, "security-group-unknown"],
} as const;

export function patchCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkConvergeable(call, cluster, "be changed");
    const { spec, warnings } = changedSpec(context, cluster, call.body);
    await checkAccess(context, spec, { before: cluster.spec });
    const fields = Object.keys(call.body);
    return startConverge(context, call, cluster, {
      verb: "be changed",
      summary:
        fields.length === 0
          ? "Repair what differs from the spec."
          : `Change ${fields.toSorted().join(", ")}.`,
      spec,
      warnings: call.query.apply === "restart" ? warnings.filter((one) => !isAboutRestart(one)) : warnings,
      apply: call.query.apply,
      replace: null,
    });
  });
}

const isAboutRestart = (warning: string): boolean => warning.includes("?apply=restart");
