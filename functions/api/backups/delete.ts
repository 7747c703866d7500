import { type Backup, Problem, readersOf, reasonToKeep } from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, noBody, type Route, z } from "@pgherd/layers/runtime/http";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { newOperation, wouldDo } from "../mutation.ts";
import { backupParams } from "../schemas.ts";
import { findBackup } from "./find.ts";
import { backupProblems, backupResponses, checkBackupReady, startBackupOperation } from "./start.ts";

const definition = {
  method: "delete",
  path: "/v1/clusters/{clusterId}/backups/{backupId}",
  operationId: "deleteBackup",
  tag: "backups",
  summary: "Delete a backup",
  description:
    "Removes it from the repository and from the record. Refused while another backup cannot be restored without it, while an operation reads it, and for the last full one. WAL since the first full backup that is left stays, and older WAL goes.",
  role: "admin",
  isMutation: true,
  isConditional: true,
  params: backupParams,
  query: z.strictObject(dryRunQuery),
  body: noBody,
  responses: backupResponses,
  problems: [...backupProblems, "backup-needed"],
} as const;

export function deleteBackup(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    const backup = await findBackup(context, call.params);
    checkBackupReady(call, cluster, "have a backup deleted");
    const reason = reasonToKeep(backup, await context.store.allBackups(cluster.id));
    if (reason !== null) throw new Problem("backup-needed", reason);
    await refuseWhileRead(context, backup);
    const summary = `Delete ${backup.type} backup ${backup.id} of cluster "${cluster.name}".`;
    if (call.query.dryRun) return wouldDo("delete-backup", summary, { warnings: warningsOf(backup) });
    const { id: backupId } = backup;
    const operation = {
      ...newOperation("delete-backup", cluster.id, call.caller.principal),
      request: { backupId },
    };
    const deleting: Backup = { ...backup, state: "deleting", operationId: operation.id };
    return startBackupOperation(context, call, { operation, backup: deleting, summary, warnings: [] });
  });
}

/** A restore, a drill or a load that has begun ends with what it began with. */
async function refuseWhileRead({ store }: ApiContext, { clusterId, id }: Backup): Promise<void> {
  const readers = readersOf(await store.listOpenOperations(null), clusterId);
  const reader = readers.find(({ backupId }) => backupId === id)?.operation;
  if (reader === undefined) return;
  throw new Problem(
    "backup-needed",
    `Operation ${reader.id} (${reader.kind}) reads it: wait for its end, or cancel it.`,
  );
}

const warningsOf = ({ endedAt, state }: Backup): string[] =>
  state === "succeeded" ? [`Nobody can restore from the backup of ${endedAt} any more afterwards.`] : [];
