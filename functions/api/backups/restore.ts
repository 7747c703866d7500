import {
  backupIdSchema,
  clusterIdSchema,
  Problem,
  type RestoreRequest,
  type RestoreTarget,
  restoreTargetSchema,
  specFields,
  storeFaultCodes,
  storeOf,
  targetText,
} from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import {
  type Answer,
  type Call,
  checkIfMatch,
  defineRoute,
  dryRunQuery,
  named,
  type Route,
  z,
} from "@pgherd/layers/runtime/http";
import { checkAccess } from "../access.ts";
import { checkName, startMaking } from "../clusters/create.ts";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { countPerZone, newOperation, wouldDo } from "../mutation.ts";
import { clusterParams } from "../schemas.ts";
import { operationProblems, operationResponses } from "../start-operation.ts";
import { checkStore, storePath } from "../stores.ts";
import { newClusterOf, newClusterPath, newClusterSchema } from "./new-cluster.ts";
import { checkInPlace, restoreInPlace } from "./restore-in-place.ts";
import { restoreLogical } from "./restore-logical.ts";
import { findSource, fromOf, type Source } from "./source.ts";
import { findWay, preflightOf, type Way } from "./way.ts";

const intoSchema = z
  .strictObject({
    newCluster: newClusterSchema.optional(),
    database: z
      .strictObject({
        clusterId: clusterIdSchema.optional().meta({
          description: "The cluster that the database is in. Default: the one that the backup is of.",
        }),
        name: specFields.database.meta({ description: "One that is empty, or that is not there yet." }),
      })
      .optional()
      .meta({ description: "Of a logical backup: into a database of a cluster that runs." }),
  })
  .refine(
    ({ database, newCluster }) => (database === undefined) !== (newCluster === undefined),
    "must have exactly one of newCluster and database",
  );

const bodySchema = z.strictObject({
  target: restoreTargetSchema.optional().meta({
    description:
      'Exactly one: `{"time"}` (RFC 3339 with a zone), `{"lsn"}`, `{"xid"}`, `{"name"}` of a restore point, `"immediate"` (the end of the backup) or `"latest"` (the end of the WAL). Left out of a logical backup, which has one moment alone.',
  }),
  backupId: backupIdSchema
    .optional()
    .meta({ description: "Default: the last backup before the target. A logical one has to be named." }),
  database: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "Which database of a logical backup. Default: the one of the cluster's spec." }),
  exclusive: z
    .boolean()
    .optional()
    .meta({ description: "Up to the target and not with it.", default: false }),
  unlisted: z
    .boolean()
    .optional()
    .meta({ description: "The restore point was made by hand, and is not on record.", default: false }),
  timeline: z.int().min(1).optional().meta({
    description:
      "The timeline that the target is on. Default: the one that the cluster was on then; for an LSN or a transaction the newest one.",
  }),
  into: z.union([intoSchema, z.literal("in-place")]).meta({
    description:
      'A new cluster; a database, for a logical backup; or `"in-place"`: the data of this cluster, which is stopped for it. The data that there is now is kept for 24 hours then.',
  }),
});
export type RestoreBody = z.infer<typeof bodySchema>;

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/restore",
  operationId: "restoreCluster",
  tag: "backups",
  summary: "Restore a backup",
  description:
    "Into a new cluster: makes another one with the data as it was at the target. The cluster that it comes from is only read, whatever state it is in, and may have been deleted as long as its backups are kept. The new one has its own passwords, certificates and backups. In place: the cluster itself goes back to the target. It is stopped for it, clients of the poolers wait for two minutes, and the data that there was is kept beside it: `POST …/restore/{operationId}/rollback` returns to it, `…/confirm` drops it, and after 24 hours it is dropped by itself. The target is checked before anything is made or stopped; where PostgreSQL does not get to it, the restore fails, and everything is as it was: it never ends at another point. WAL that a target needs and that is not archived yet is archived first. `dryRun=true` answers backup, WAL to replay (`walBytes`) and an estimate of the time. One database of a logical backup is loaded into a new cluster, or `into.database`, which must be empty or not be there: in one transaction, so that a restore which fails leaves it as it was.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject(dryRunQuery),
  body: named("RestoreCluster", bodySchema),
  example: {
    target: { time: "2026-03-04T10:20:30.5+01:00" },
    into: { newCluster: { name: "orders-before" } },
  },
  responses: operationResponses,
  problems: [
    ...operationProblems,
    "name-taken",
    "backup-in-progress",
    "restore-unconfirmed",
    "no-leader",
    "member-not-streaming",
    "cluster-unreachable",
    "no-backup",
    "backup-unknown",
    "target-outside-window",
    "restore-point-unknown",
    "wal-missing",
    "backups-removed",
    "volume-too-small",
    "schedule-too-frequent",
    "security-group-unknown",
    "backup-unfit",
    "database-unknown",
    "database-not-empty",
    ...storeFaultCodes,
  ],
} as const;

export function restoreCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const { backupId, into } = call.body;
    const source = await findSource(context, call.params.clusterId);
    if (into === "in-place") return intoPlace(context, call, source);
    checkIfMatch(call.ifMatch, source.generation);
    const named = backupId === undefined ? null : await context.store.getBackup(source.id, backupId);
    if (into.newCluster === undefined || named?.engine === "pg_dump") {
      return restoreLogical(context, { ...call, body: { ...call.body, into } }, source, named);
    }
    return intoNewCluster(context, call, source, into.newCluster);
  });
}

type RestoreCall = Call<unknown, { dryRun: boolean }, RestoreBody>;

async function intoPlace(context: ApiContext, call: RestoreCall, { id }: Source): Promise<Answer> {
  const cluster = await findCluster(context, id);
  checkInPlace(call, cluster);
  const { body, way } = await choose(context, call, { ...cluster, cluster, deleted: null });
  // What there is now is archived in any case.
  const { archiveFirst: _always, ...source } = requestOf(cluster, body, way);
  return restoreInPlace(context, call, cluster, { source, way });
}

async function intoNewCluster(
  context: ApiContext,
  call: RestoreCall,
  source: Source,
  newCluster: z.infer<typeof newClusterSchema>,
): Promise<Answer> {
  const { body, way } = await choose(context, call, source);
  const { nodes, spec, warnings: doubts } = newClusterOf(context, source, newCluster, way.backup);
  await checkAccess(context, spec, { path: newClusterPath });
  await checkStore(context, spec, `${newClusterPath}${storePath}`);
  const warnings = [...doubts, ...warningsOf(way)];
  const summary = `Restore ${targetText(body.target)} of cluster "${source.name}" from ${way.backup.type} backup ${way.backup.id} into a new cluster "${spec.name}".`;
  if (call.query.dryRun) {
    await checkName(context, spec.name, `${newClusterPath}/name`);
    const nodesPerZone = countPerZone(nodes);
    return wouldDo("restore-cluster", summary, { nodesPerZone, warnings, spec, preflight: preflightOf(way) });
  }
  const operation = {
    ...newOperation("restore-cluster", newId("cluster"), call.caller.principal),
    request: { ...requestOf(source, body, way), ...storeOf(source) },
  };
  return startMaking(context, call, { spec, nodes, operation, warnings, summary, ...fromOf(source) });
}

/** @throws {Problem} what stands in the way of the target, with what would be right */
async function choose(
  context: ApiContext,
  call: RestoreCall,
  source: Source,
): Promise<{ body: Body; way: Way }> {
  const { backupId = null, database, target, timeline = null, unlisted = false } = call.body;
  if (target === undefined || database !== undefined) throw physicalOnly(target);
  const way = await findWay(context, source, { target, backupId, unlisted, timeline });
  return { body: { ...call.body, target }, way };
}

/** A body that has a target, as every restore of files and WAL must. */
type Body = RestoreBody & { readonly target: RestoreTarget };

function physicalOnly(target: RestoreTarget | undefined): Problem {
  const error =
    target === undefined
      ? { path: "/target", message: "is required, unless backupId is the id of a logical backup" }
      : { path: "/database", message: "is for logical backups: a restore of files has all databases" };
  return new Problem(
    "invalid-request",
    `The restore cannot be done: ${error.path.slice(1)} ${error.message}.`,
    { errors: [error] },
  );
}

function warningsOf({ isWalChecked, timeline }: Way): string[] {
  const warnings: string[] = [];
  if (timeline !== null) {
    warnings.push(
      `The target is on timeline ${timeline}, which a later restore has left: what was written since then is not in the new cluster.`,
    );
  }
  if (!isWalChecked) {
    warnings.push(
      "Not every WAL segment on the way was looked for; where one is missing, the restore fails.",
    );
  }
  return warnings;
}

function requestOf(
  { id }: Pick<Source, "id">,
  { exclusive = false, target }: Body,
  way: Way,
): RestoreRequest {
  const { archiveFirst, timeline } = way;
  const { id: backupId, label, shard } = way.backup;
  if (label === null) throw new Error(`backup ${backupId} has succeeded without a label`);
  return {
    clusterId: id,
    shard,
    backupId,
    label,
    target,
    exclusive,
    ...(timeline === null ? {} : { timeline }),
    ...(archiveFirst === null ? {} : { archiveFirst }),
  };
}
