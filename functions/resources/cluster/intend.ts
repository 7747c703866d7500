import {
  type CreateClusterBody,
  completeSpec,
  createClusterBodySchema,
  isSameSpec,
  Problem,
  patchBetween,
} from "@pgherd/layers/domain";
import type { IdempotencyRecord } from "@pgherd/layers/ports";
import { type Answer, once, type RawInput, type Route, z } from "@pgherd/layers/runtime/http";
import { createCluster } from "../../api/clusters/create.ts";
import { deleteCluster } from "../../api/clusters/delete.ts";
import { findCluster } from "../../api/clusters/find.ts";
import { patchCluster } from "../../api/clusters/patch.ts";
import type { ApiContext } from "../../api/context.ts";
import { type ClusterRequest, clusterIdOf, principalOf } from "./request.ts";

export type Intent =
  | { readonly kind: "operation"; readonly clusterId: string; readonly operationId: string }
  /** It is so already. */
  | { readonly kind: "nothing"; readonly clusterId: string }
  /** Another operation holds the cluster. */
  | { readonly kind: "busy"; readonly clusterId: string };

type Remember = (answer: Answer) => IdempotencyRecord;

const answerSchema = z.object({
  cluster: z.object({ id: z.string() }),
  operation: z.object({ id: z.string() }).nullable(),
});

/**
 * Begins what the request asks for, as a call of the API would, and no second time: the request's own id is the key
 * under which the answer is remembered. Asking again is how the operation is found.
 * @throws an error with a sentence for whoever deploys
 */
export async function intend(context: ApiContext, request: ClusterRequest): Promise<Intent> {
  const clusterId = clusterIdOf(request);
  if (request.RequestType === "Delete" && clusterId === null) {
    return { kind: "nothing", clusterId: request.PhysicalResourceId ?? request.LogicalResourceId };
  }
  try {
    const { cluster, operation } = await ask(context, request, clusterId);
    return operation === null
      ? { kind: "nothing", clusterId: cluster.id }
      : { kind: "operation", clusterId: cluster.id, operationId: operation.id };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === "operation-in-progress" && clusterId !== null) return { kind: "busy", clusterId };
    if (error.code === "not-found" && request.RequestType === "Delete" && clusterId !== null) {
      return { kind: "nothing", clusterId };
    }
    throw forPeople(error);
  }
}

async function ask(
  context: ApiContext,
  request: ClusterRequest,
  clusterId: string | null,
): Promise<z.infer<typeof answerSchema>> {
  const { RequestId, RequestType, ResourceProperties } = request;
  const body = RequestType === "Delete" ? undefined : readSpec(ResourceProperties.Spec);
  const identity = {
    principal: principalOf(request),
    method: RequestType,
    // Not by the cluster's id, which a create has only from its second question on.
    path: request.LogicalResourceId,
    query: {},
    body,
  };
  const { body: text } = await once(context.store, RequestId, identity, (remember) => {
    if (body === undefined) return remove(context, request, clusterId, remember);
    return RequestType === "Create"
      ? handle(createCluster(context), { params: {}, query: {}, body }, request, remember)
      : change(context, request, { body, clusterId: clusterId ?? "" }, remember);
  });
  return answerSchema.parse(JSON.parse(text));
}

/** @throws {Problem} `invalid-request`: what was not known when the template was made may turn out wrong. */
function readSpec(spec: string): CreateClusterBody {
  const read = createClusterBodySchema.safeParse(JSON.parse(spec));
  if (read.success) return read.data;
  const errors = read.error.issues.map(({ path, message }) => ({ path: `/${path.join("/")}`, message }));
  throw new Problem("invalid-request", "The cluster's spec is not valid.", { errors });
}

/** To the template's spec, whatever calls have made of it in the meantime; what the template does not name, to its default. */
async function change(
  context: ApiContext,
  request: ClusterRequest,
  to: { readonly body: CreateClusterBody; readonly clusterId: string },
  remember: Remember,
): Promise<Answer> {
  const cluster = await findCluster(context, to.clusterId);
  const wanted = completeSpec(to.body, {
    instanceType: context.settings.defaultInstanceType,
    deletionProtection: context.settings.defaultDeletionProtection,
  });
  if (isSameSpec(cluster.spec, wanted)) return { status: 200, body: { cluster, operation: null } };
  const input = {
    params: { clusterId: cluster.id },
    query: { apply: [request.ResourceProperties.Apply] },
    body: patchBetween(cluster.spec, wanted),
  };
  return handle(patchCluster(context), input, request, remember);
}

function remove(
  context: ApiContext,
  request: ClusterRequest,
  clusterId: string | null,
  remember: Remember,
): Promise<Answer> {
  const input = { params: { clusterId: clusterId ?? "" }, query: {}, body: undefined };
  return handle(deleteCluster(context), input, request, remember);
}

/** Whoever may deploy a stack with the resource may do all that the resource does: IAM has decided that. */
function handle(route: Route, input: RawInput, request: ClusterRequest, remember: Remember): Promise<Answer> {
  const caller = { principal: principalOf(request), role: "admin", sourceAddress: "cloudformation" } as const;
  return route.handle(input, { caller, requestId: request.RequestId, ifMatch: undefined, remember });
}

/** CloudFormation shows one text. */
function forPeople(problem: Problem): Error {
  const fields = problem.errors.map(({ path, message }) => ` ${path} ${message}.`);
  return new Error(`${problem.code}: ${problem.message}${fields.join("")}`, { cause: problem });
}
