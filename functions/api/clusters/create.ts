import {
  type Cluster,
  type ClusterSpec,
  checkSpec,
  completeSpec,
  createClusterBodySchema,
  firstLogins,
  layoutNodes,
  nodeTotal,
  type Operation,
  Problem,
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
import type { ApiContext } from "../context.ts";
import { accepted, auditEntry, countPerZone, newOperation, startExecution } from "../mutation.ts";
import { acceptedAnswer, type DryRun, dryRunAnswer } from "../schemas.ts";

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
  problems: ["name-taken"],
} as const;

export function createCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const { settings } = context;
    const spec = completeSpec(call.body, {
      instanceType: settings.defaultInstanceType,
      deletionProtection: settings.defaultDeletionProtection,
    });
    const { errors, warnings } = checkSpec(spec);
    if (errors.length > 0) {
      throw new Problem("invalid-request", "The spec cannot be carried out; errors says where and why.", {
        errors,
      });
    }
    const zones = Object.keys(settings.subnets).toSorted();
    const nodeIds = Array.from({ length: nodeTotal(spec) }, () => newId("node"));
    const nodes = layoutNodes(spec, zones, nodeIds);
    if (call.query.dryRun) return dryRun(context, spec, countPerZone(nodes), warnings);
    const operation = newOperation("create-cluster", newId("cluster"), call.caller.principal);
    return create(context, call, { spec, nodes, operation, warnings });
  });
}

async function create(
  context: ApiContext,
  call: Call,
  plan: { spec: ClusterSpec; nodes: Cluster["nodes"]; operation: Operation; warnings: readonly string[] },
): Promise<Answer> {
  const { spec, nodes, operation, warnings } = plan;
  const { clusterId, createdAt } = operation;
  const cluster: Cluster = {
    id: clusterId,
    name: spec.name,
    status: "creating",
    statusReason: `Operation ${operation.id} creates the cluster.`,
    spec,
    generation: 1,
    activeOperationId: operation.id,
    paused: null,
    logins: firstLogins,
    retiring: null,
    createdAt,
    updatedAt: createdAt,
    nodes,
    drift: [],
  };
  const audit = auditEntry(call, {
    action: "create-cluster",
    clusterId,
    operationId: operation.id,
    at: createdAt,
    detail: summaryOf(spec),
  });
  const answer = accepted(operation, { cluster, warnings });
  const tagged = { ...answer, headers: { ...answer.headers, etag: entityTag(cluster.generation) } };
  await context.store.createCluster(cluster, { operation, audit, idempotency: call.remember(tagged) });
  await startExecution(context, operation);
  return tagged;
}

async function dryRun(
  context: ApiContext,
  spec: ClusterSpec,
  nodesPerZone: Record<string, number>,
  warnings: readonly string[],
): Promise<Answer> {
  const holder = await context.store.findClusterByName(spec.name);
  if (holder !== null) {
    throw new Problem("name-taken", `The name "${spec.name}" belongs to cluster ${holder}.`, {
      errors: [{ path: "/name", message: "must be unique in the environment" }],
    });
  }
  const body: DryRun = {
    dryRun: true,
    kind: "create-cluster",
    summary: summaryOf(spec),
    nodesPerZone,
    interrupts: [],
    warnings: [...warnings],
    spec,
  };
  return { status: 200, body };
}

function summaryOf(spec: ClusterSpec): string {
  const members = spec.members === 1 ? "1 member" : `${spec.members} members`;
  return `Create cluster "${spec.name}": PostgreSQL ${spec.postgresVersion}, ${members} on ${spec.instanceType} with ${spec.storage.sizeGiB} GiB each.`;
}
