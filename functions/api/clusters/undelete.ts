import {
  layoutNodes,
  nodeTotal,
  Problem,
  type RestoreRequest,
  storeFaultCodes,
  storeOf,
} from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import { checkIfMatch, defineRoute, dryRunQuery, noBody, type Route, z } from "@pgherd/layers/runtime/http";
import { checkAccess } from "../access.ts";
import { findSource, fromOf, type Source } from "../backups/source.ts";
import { findWay, preflightOf, type Way } from "../backups/way.ts";
import type { ApiContext } from "../context.ts";
import { countPerZone, newOperation, wouldDo } from "../mutation.ts";
import { clusterParams } from "../schemas.ts";
import { operationResponses } from "../start-operation.ts";
import { checkStore } from "../stores.ts";
import { checkName, startMaking } from "./create.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/undelete",
  operationId: "undeleteCluster",
  tag: "clusters",
  summary: "Bring a deleted cluster back",
  description:
    "Makes the cluster again from its backups and its WAL, with the id, the name and the spec that it had, as long as they are kept (`backup.retainAfterDeleteDays`). Machines, addresses, passwords and certificates are new; its backups are its own again. Refused where another cluster has its name: restore it under another one then.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject(dryRunQuery),
  body: noBody,
  responses: operationResponses,
  problems: [
    "not-found",
    "not-deleted",
    "backups-removed",
    "no-backup",
    "wal-missing",
    "name-taken",
    "security-group-unknown",
    "precondition-failed",
    ...storeFaultCodes,
  ],
} as const;

export function undeleteCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const { clusterId } = call.params;
    await checkDeleted(context, clusterId, call.ifMatch);
    const source = await findSource(context, clusterId);
    checkIfMatch(call.ifMatch, source.generation);
    checkFiles(source);
    const wish = { target: "latest", backupId: null, unlisted: false, timeline: null } as const;
    const way = await findWay(context, source, wish);
    const { name, spec } = source;
    await checkAccess(context, spec, { path: null });
    await checkStore(context, spec, null);
    const zones = Object.keys(context.settings.subnets).toSorted();
    const nodeIds = Array.from({ length: nodeTotal(spec) }, () => newId("node"));
    const nodes = layoutNodes(spec, zones, nodeIds);
    const summary = `Bring cluster "${name}" back from ${way.backup.type} backup ${way.backup.id} and the WAL after it.`;
    const warnings = ["Its passwords, certificates and addresses are new ones."];
    if (call.query.dryRun) {
      await withAdvice(context, source, () => checkName(context, name, "/name"));
      const nodesPerZone = countPerZone(nodes);
      return wouldDo("undelete-cluster", summary, {
        nodesPerZone,
        warnings,
        spec,
        preflight: preflightOf(way),
      });
    }
    const operation = {
      ...newOperation("undelete-cluster", source.id, call.caller.principal),
      request: { ...requestOf(source, way), ...storeOf(source) },
    };
    const generation = source.generation + 1;
    const plan = { spec, nodes, operation, warnings, summary, generation, ...fromOf(source) };
    return withAdvice(context, source, () => startMaking(context, call, plan));
  });
}

/** @throws {Problem} `not-deleted` */
async function checkDeleted(
  { store }: ApiContext,
  clusterId: string,
  ifMatch: string | undefined,
): Promise<void> {
  const cluster = await store.getCluster(clusterId);
  if (cluster === null) return;
  checkIfMatch(ifMatch, cluster.generation);
  throw notDeleted(clusterId, `it is ${cluster.status}. ${cluster.statusReason}`);
}

/** @throws {Problem} `no-backup` */
function checkFiles({ deleted, id }: Source): void {
  if (deleted === null || deleted.hasFiles) return;
  const { keptUntil } = deleted;
  throw new Problem(
    "no-backup",
    `Cluster ${id} cannot be brought back: only logical backups of it are kept, until ${keptUntil}. POST /v1/clusters/${id}/restore loads a database of one into a new cluster.`,
  );
}

const notDeleted = (clusterId: string, why: string): Problem =>
  new Problem("not-deleted", `Cluster ${clusterId} is there: ${why}`);

function requestOf({ id }: Source, { backup }: Way): RestoreRequest {
  const { id: backupId, label, shard } = backup;
  if (label === null) throw new Error(`backup ${backupId} has succeeded without a label`);
  return { clusterId: id, shard, backupId, label, target: "latest", exclusive: false };
}

/** Its name can be another cluster's by now, or its own again. */
async function withAdvice<T>(
  { store }: ApiContext,
  { id, name }: Source,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "name-taken") throw error;
    if ((await store.getCluster(id)) !== null) throw notDeleted(id, "somebody else has brought it back.");
    throw takenByAnother(error, { id, name });
  }
}

const takenByAnother = (cause: Problem, { id, name }: Pick<Source, "id" | "name">): Problem =>
  new Problem(
    "name-taken",
    `${cause.message} Cluster ${id} was called "${name}": restore it under another name instead, with POST /v1/clusters/${id}/restore.`,
    { errors: cause.errors, cause },
  );
