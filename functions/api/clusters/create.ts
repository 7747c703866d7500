import {
  type Cluster,
  type ClusterSpec,
  checkLimits,
  checkSpec,
  completeSpec,
  createClusterBodySchema,
  layoutNodes,
  newCluster,
  nodeTotal,
  type Operation,
  Problem,
  storeFaultCodes,
} from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import {
  type Answer,
  type Call,
  defineRoute,
  dryRunQuery,
  entityTag,
  named,
  noParams,
  type Route,
  z,
} from "@pgherd/layers/runtime/http";
import { checkAccess } from "../access.ts";
import type { ApiContext } from "../context.ts";
import { accepted, countPerZone, newOperation, startEntry, startExecution, wouldDo } from "../mutation.ts";
import { refuseFrequentSchedules } from "../schedules.ts";
import { acceptedAnswer, dryRunAnswer } from "../schemas.ts";
import { checkStore } from "../stores.ts";

const definition = {
  method: "post",
  path: "/v1/clusters",
  operationId: "createCluster",
  tag: "clusters",
  summary: "Create a cluster",
  description:
    "Writes the intent and answers at once; the operation makes it so. Only the name is required. When the create fails, everything it made is removed, the cluster stays with status `failed` until it is deleted, and its name is free.",
  role: "operator",
  isMutation: true,
  params: noParams,
  query: z.strictObject(dryRunQuery),
  body: named("CreateCluster", createClusterBodySchema),
  example: { name: "orders", members: 3, extensions: ["vector"], parameters: { work_mem: "8MB" } },
  responses: {
    200: { description: "What would happen (`dryRun=true`).", schema: dryRunAnswer },
    202: {
      description: "The cluster as it is meant to be, and the operation that makes it so.",
      schema: acceptedAnswer,
      headers: { Location: "Where to watch the operation.", ETag: "Generation of the cluster's spec." },
    },
  },
  problems: ["name-taken", "schedule-too-frequent", "security-group-unknown", ...storeFaultCodes],
} as const;

export function createCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const { settings } = context;
    const spec = completeSpec(call.body, {
      instanceType: settings.defaultInstanceType,
      deletionProtection: settings.defaultDeletionProtection,
    });
    const { errors: wrong, warnings } = checkSpec(spec);
    const errors = [...wrong, ...checkLimits(spec, settings.limits)];
    if (errors.length > 0) {
      throw new Problem("invalid-request", "The spec cannot be carried out; errors says where and why.", {
        errors,
      });
    }
    refuseFrequentSchedules(spec);
    await checkAccess(context, spec);
    await checkStore(context, spec);
    const zones = Object.keys(settings.subnets).toSorted();
    const nodeIds = Array.from({ length: nodeTotal(spec) }, () => newId("node"));
    const nodes = layoutNodes(spec, zones, nodeIds);
    if (call.query.dryRun) return dryRun(context, spec, countPerZone(nodes), warnings);
    const operation = newOperation("create-cluster", newId("cluster"), call.caller.principal);
    return startMaking(context, call, { spec, nodes, operation, warnings, summary: summaryOf(spec) });
  });
}

/** A cluster that is about to be made, and the operation that makes it. */
export async function startMaking(
  context: ApiContext,
  call: Call,
  plan: {
    readonly spec: ClusterSpec;
    readonly nodes: Cluster["nodes"];
    readonly operation: Operation;
    readonly warnings: readonly string[];
    readonly summary: string;
    /** Of a cluster that had others before. */
    readonly generation?: number;
    /** A deleted cluster whose backups it is made from. */
    readonly from?: { readonly deletedClusterId: string };
  },
): Promise<Answer> {
  const { from, generation = 1, spec, nodes, operation, summary, warnings } = plan;
  const cluster = newCluster({
    id: operation.clusterId,
    spec,
    statusReason: `Operation ${operation.id} makes the cluster.`,
    generation,
    activeOperationId: operation.id,
    createdAt: operation.createdAt,
    nodes,
  });
  const audit = startEntry(call, operation, summary);
  const answer = accepted(operation, { cluster, warnings });
  const tagged = { ...answer, headers: { ...answer.headers, etag: entityTag(cluster.generation) } };
  const start = { operation, audit, idempotency: call.remember(tagged) };
  await context.store.createCluster(cluster, start, from);
  await startExecution(context, operation);
  return tagged;
}

async function dryRun(
  context: ApiContext,
  spec: ClusterSpec,
  nodesPerZone: Record<string, number>,
  warnings: readonly string[],
): Promise<Answer> {
  await checkName(context, spec.name, "/name");
  return wouldDo("create-cluster", summaryOf(spec), { nodesPerZone, warnings: [...warnings], spec });
}

function summaryOf(spec: ClusterSpec): string {
  const members = spec.members === 1 ? "1 member" : `${spec.members} members`;
  return `Create cluster "${spec.name}": PostgreSQL ${spec.postgresVersion}, ${members} on ${spec.instanceType} with ${spec.storage.sizeGiB} GiB each.`;
}

/** For dry runs: what is written claims the name itself. @throws {Problem} `name-taken` */
export async function checkName({ store }: ApiContext, name: string, path: string): Promise<void> {
  const holder = await store.findClusterByName(name);
  if (holder === null) return;
  throw new Problem("name-taken", `The name "${name}" belongs to cluster ${holder}.`, {
    errors: [{ path, message: "must be unique in the environment" }],
  });
}
