import {
  type BackupType,
  backupTypeSchema,
  type Cluster,
  newBackup,
  Problem,
  shardsOf,
  typeTaken,
} from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import { defineRoute, dryRunQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { newOperation, wouldDo } from "../mutation.ts";
import { clusterParams } from "../schemas.ts";
import { backupProblems, backupResponses, checkBackupReady, startBackupOperation } from "./start.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/backups",
  operationId: "createBackup",
  tag: "backups",
  summary: "Take a backup",
  description:
    "Read from a replica where there is one, encrypted on the node, and written to the environment's bucket. It holds the cluster against other backups only: switchovers, restarts and changes go on beside it. One that comes to nothing, as when the node that it is read from is lost, is begun again by itself. Its progress is in `GET …/backups/{backupId}`.",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject(dryRunQuery),
  body: named(
    "CreateBackup",
    z.strictObject({
      type: backupTypeSchema.meta({
        description:
          "`full`: everything. `diff`: what has changed since the last full one. `incr`: what has changed since the last one. Without a full backup to build on, every one of these is a full one. `logical`: what is in the databases, as pg_dump writes it, which any later version of PostgreSQL reads; it opens no restore window.",
      }),
      shard: z
        .int()
        .min(0)
        .optional()
        .meta({ description: "Which shard, counted from 0. Default: 0, the only one of most clusters." }),
    }),
  ),
  example: { type: "incr" },
  responses: backupResponses,
  problems: [...backupProblems, "shard-unknown"],
} as const;

export function createBackup(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkBackupReady(call, cluster, "be backed up");
    const { shard = 0, type: asked } = call.body;
    checkShard(cluster, shard);
    const type = typeTaken({ type: asked, shard }, await context.store.allBackups(cluster.id));
    const warnings = warningsOf(cluster, asked, type);
    const summary = `Take a ${type} backup of cluster "${cluster.name}".`;
    if (call.query.dryRun) return wouldDo("backup-cluster", summary, { warnings });
    const backupId = newId("backup");
    const operation = {
      ...newOperation("backup-cluster", cluster.id, call.caller.principal),
      request: { backupId },
    };
    const backup = newBackup({
      id: backupId,
      clusterId: cluster.id,
      shard,
      type,
      operationId: operation.id,
      startedBy: operation.startedBy,
      startedAt: operation.createdAt,
    });
    return startBackupOperation(context, call, { operation, backup, summary, warnings });
  });
}

/** @throws {Problem} `shard-unknown` */
function checkShard({ id, nodes }: Cluster, shard: number): void {
  const shards = shardsOf(nodes);
  if (shards.includes(shard)) return;
  const message = `must be one of the cluster's shards: ${shards.join(", ")}`;
  throw new Problem("shard-unknown", `Cluster ${id} has no shard ${shard}: shard ${message}.`, {
    errors: [{ path: "/shard", message }],
  });
}

function warningsOf({ spec }: Cluster, asked: BackupType, type: BackupType): string[] {
  const warnings: string[] = [];
  if (type !== asked)
    warnings.push(`There is no full backup that a ${asked} one could build on: this one is full.`);
  if (spec.members === 1)
    warnings.push("There is no replica: the backup is read from the leader, which is slower meanwhile.");
  if (type === "logical") warnings.push(...logicalWarnings(spec));
  return warnings;
}

const logicalWarnings = ({ backup }: Cluster["spec"]): string[] => [
  "Each database is as it was when its own dump began: with one another they are not consistent.",
  `${backup.retention.logical} logical backups are kept: older ones go once this one is there.`,
];
