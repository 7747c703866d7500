import {
  describeConnection,
  endedStates,
  nodePorts,
  type Operation,
  templateResourceTypes,
  templateResourceWaitMinutes,
} from "@pgherd/layers/domain";
import type { ApiContext } from "../../api/context.ts";
import { findOperation } from "../../api/operations/find.ts";
import { intend } from "./intend.ts";
import { principalOf, type RemovalRequest, type ResourceWorld, readRequest } from "./request.ts";

interface Looked {
  readonly IsComplete: boolean;
  /** What `Fn::GetAtt` answers; none before it is complete. */
  readonly Data?: Readonly<Record<string, string>>;
}

const minuteMs = 60_000;
/** The newest of a cluster: after its delete only the final backup's begins. */
const operationsLookedAt = 20;
const notYet: Looked = { IsComplete: false };

/**
 * Whether what began is done.
 * @throws an error with a sentence for whoever deploys, where it failed or takes longer than anybody waits
 */
export async function look(world: ResourceWorld, event: unknown): Promise<Looked> {
  const request = readRequest(event);
  const { Data, RequestType } = request;
  const since = Data === undefined ? world.now() : new Date(Data.BegunAt);
  const isOver = world.now().getTime() - since.getTime() >= templateResourceWaitMinutes * minuteMs;
  if (request.ResourceType === templateResourceTypes.wait) {
    const { IsLast, OperationId } = request.ResourceProperties;
    if (RequestType === "Delete" || OperationId === "") return { IsComplete: true };
    return waited(await findOperation(world.context, OperationId), isOver, IsLast === "true");
  }
  if (request.ResourceType === templateResourceTypes.removal) return removed(world.context, request, isOver);
  const intent = await intend(world.context, request);
  if (intent.kind === "busy") {
    if (!isOver) return notYet;
    throw new Error(
      `Cluster ${intent.clusterId} is held by another operation. Deploy again when it has ended.`,
    );
  }
  const operationId = intent.kind === "nothing" ? "" : intent.operationId;
  if (operationId !== "") {
    const isLast = request.ResourceProperties.IsLast === "true";
    const { IsComplete } = waited(await findOperation(world.context, operationId), isOver, isLast);
    if (!IsComplete) return notYet;
  }
  if (RequestType === "Delete") return { IsComplete: true };
  return { IsComplete: true, Data: await attributes(world.context, intent.clusterId, operationId) };
}

/** Waits for the stack's own delete of the cluster, if there is one: another cluster may have the name by now. */
async function removed(context: ApiContext, request: RemovalRequest, isOver: boolean): Promise<Looked> {
  const { IsLast, Name } = request.ResourceProperties;
  if (request.RequestType !== "Delete") return { IsComplete: true };
  const clusterId = await context.store.findClusterByName(Name);
  if (clusterId === null) return { IsComplete: true };
  const page = { limit: operationsLookedAt, cursor: null, clusterId };
  const operation = (await context.store.listOperations(page)).items.find(
    ({ kind, startedBy }) => kind === "delete-cluster" && startedBy === principalOf(request),
  );
  return operation === undefined ? { IsComplete: true } : waited(operation, isOver, IsLast === "true");
}

/** Complete is also what another resource waits on for. */
function waited(operation: Operation, isOver: boolean, isLast: boolean): Looked {
  const { error, id, kind, state } = operation;
  if (!endedStates.includes(state)) {
    if (!isOver) return notYet;
    if (!isLast) return { IsComplete: true };
    throw new Error(
      `Operation ${id} (${kind}) is still at work, and a deployment waits no longer. It goes on: deploy again when it has ended.`,
    );
  }
  if (state === "succeeded") return { IsComplete: true };
  throw new Error(`Operation ${id} (${kind}) ${state}: ${error?.message ?? "it was cancelled"}`);
}

/** Texts, 4 KB of them at most. What is not known yet is empty: an attribute that is missing fails its stack. */
async function attributes(
  context: ApiContext,
  clusterId: string,
  operationId: string,
): Promise<Record<string, string>> {
  const { settings, store } = context;
  const [cluster, certificate] = await Promise.all([
    store.getCluster(clusterId),
    store.getAuthorityCertificate(clusterId),
  ]);
  const connection =
    cluster === null || certificate === null
      ? null
      : describeConnection(cluster, settings.environment, certificate);
  const { admin, client } = connection?.users ?? {};
  return {
    ClusterId: clusterId,
    OperationId: operationId,
    Hosts: connection?.endpoints.readWrite.hosts.join(",") ?? "",
    ReadWritePort: String(nodePorts.readWrite),
    ReadOnlyPort: String(nodePorts.readOnly),
    PooledPort: String(nodePorts.pooled),
    Database: connection?.database ?? "",
    ClientUser: client?.name ?? "",
    ClientPasswordParameter: client?.passwordParameter ?? "",
    AdminUser: admin?.name ?? "",
    AdminPasswordParameter: admin?.passwordParameter ?? "",
    CaCertificate: connection?.caCertificate ?? "",
  };
}
