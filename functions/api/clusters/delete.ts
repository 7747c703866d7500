import {
  type Cluster,
  type deleteRequestSchema,
  type FinalBackup,
  finalBackupOf,
  type Operation,
  Problem,
  whatIsStored,
} from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import {
  type Answer,
  type Call,
  checkIfMatch,
  defineRoute,
  dryRunQuery,
  noBody,
  type Route,
  z,
} from "@pgherd/layers/runtime/http";
import { refuseNamedGroup } from "../access.ts";
import type { ApiContext } from "../context.ts";
import { accepted, countPerZone, newOperation, startEntry, startExecution, wouldDo } from "../mutation.ts";
import { acceptedAnswer, clusterParams, dryRunAnswer } from "../schemas.ts";
import { findCluster } from "./find.ts";

const finalBackupQuery = z
  .enum(["true", "false"])
  .transform((value) => value === "true")
  .default(true)
  .meta({
    description:
      "`false`: no backup is taken before, and what was written since the last one is lost. For clusters of which no backup can be taken any more.",
    type: "boolean",
    enum: undefined,
    default: true,
  });

const definition = {
  method: "delete",
  path: "/v1/clusters/{clusterId}",
  operationId: "deleteCluster",
  tag: "clusters",
  summary: "Delete a cluster",
  description:
    "Takes a final backup and then removes everything but the audit trail, the operations and the backups, which are kept for `backup.retainAfterDeleteDays`: for so long `undelete` brings the cluster back. Where the final backup cannot be taken, nothing is removed. Deleting a cluster that is being deleted answers the operation that does it.",
  role: "admin",
  isMutation: true,
  isConditional: true,
  params: clusterParams,
  query: z.strictObject({ ...dryRunQuery, finalBackup: finalBackupQuery }),
  body: noBody,
  responses: {
    200: { description: "What would happen (`dryRun=true`).", schema: dryRunAnswer },
    202: {
      description: "The cluster, and the operation that removes it.",
      schema: acceptedAnswer,
      headers: { Location: "Where to watch the operation." },
    },
  },
  problems: [
    "not-found",
    "deletion-protected",
    "operation-in-progress",
    "final-backup-impossible",
    "security-group-in-use",
    "precondition-failed",
  ],
} as const;

export function deleteCluster(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const cluster = await findCluster(context, call.params.clusterId);
    checkIfMatch(call.ifMatch, cluster.generation);
    if (cluster.spec.deletionProtection && hasSomethingToLose(cluster)) {
      throw new Problem(
        "deletion-protected",
        `Cluster ${cluster.id} ("${cluster.name}") has deletionProtection: it is not deleted as long as that is on.`,
      );
    }
    const active = await findActive(context, cluster);
    if (!call.query.dryRun && active?.kind === "delete-cluster") return again(context, call, cluster, active);
    const backup = finalBackupOf(cluster, call.query.finalBackup);
    if (active === null) {
      checkPossible(cluster, backup);
      await refuseNamedGroup(context, cluster);
    }
    const kept = backup.kind === "take" ? "files" : whatIsStored(await context.store.allBackups(cluster.id));
    if (call.query.dryRun) return dryRun(cluster, active, { backup, kept });
    try {
      return await start(context, call, cluster, { backup, kept });
    } catch (error) {
      const winner = isBusy(error) ? await findDelete(context, cluster.id) : null;
      if (winner === null) throw error;
      return again(context, call, winner.cluster, winner.operation);
    }
  });
}

/** @throws {Problem} `final-backup-impossible` */
function checkPossible({ id }: Cluster, backup: FinalBackup): void {
  if (backup.kind !== "impossible") return;
  throw new Problem(
    "final-backup-impossible",
    `No final backup of cluster ${id} can be taken: ${backup.because}.`,
  );
}

async function start(
  context: ApiContext,
  call: Call,
  cluster: Cluster,
  { backup, kept }: Leaving,
): Promise<Answer> {
  const { status, statusReason } = cluster;
  const request: z.infer<typeof deleteRequestSchema> = {
    finalBackup:
      backup.kind === "take" ? { backupId: newId("backup"), operationId: newId("operation") } : null,
    before: { status, statusReason },
  };
  const operation: Operation = {
    ...newOperation("delete-cluster", cluster.id, call.caller.principal),
    request,
  };
  const { createdAt: at } = operation;
  const change = {
    status: "deleting",
    statusReason: `Operation ${operation.id} deletes the cluster; ${keptSentence(cluster, kept)}`,
  } as const;
  const audit = startEntry(
    call,
    operation,
    `Delete cluster "${cluster.name}" ${backup.kind === "take" ? "after a final backup" : "without a final backup"}.`,
  );
  const after = { ...cluster, ...change, activeOperationId: operation.id, updatedAt: at };
  const answer = accepted(operation, { cluster: after, warnings: warningsOf(backup) });
  await context.store.startOperation(
    { operation, audit, idempotency: call.remember(answer) },
    { ...change, expectedGeneration: cluster.generation },
  );
  await startExecution(context, operation);
  return answer;
}

/** Nothing to write but the answer itself, where the caller wants it remembered. */
async function again(
  context: ApiContext,
  call: Call,
  cluster: Cluster,
  operation: Operation,
): Promise<Answer> {
  const answer = accepted(operation, { cluster, warnings: [] });
  const record = call.remember(answer);
  if (record !== null) await context.store.putIdempotencyRecord(record);
  return answer;
}

const warningsOf = (backup: FinalBackup): string[] => (backup.kind === "none" ? [backup.because] : []);

/** What is there of the cluster once it is deleted. */
interface Leaving {
  readonly backup: FinalBackup;
  readonly kept: ReturnType<typeof whatIsStored>;
}

function keptSentence({ spec }: Cluster, kept: Leaving["kept"]): string {
  const { retainAfterDeleteDays: days } = spec.backup;
  if (kept === "nothing") return "there is no backup of it that could be kept.";
  if (days === 0) return "its backups go with it.";
  const forDays = `for ${days === 1 ? "1 day" : `${days} days`} afterwards`;
  return kept === "files"
    ? `its backups are kept ${forDays}.`
    : `its logical backups are kept ${forDays}, which do not bring it back: each is restored into a new cluster.`;
}

function dryRun(cluster: Cluster, active: Operation | null, { backup, kept }: Leaving): Answer {
  if (active !== null && active.kind !== "delete-cluster") {
    throw new Problem("operation-in-progress", `Cluster ${cluster.id} runs operation ${active.id}.`);
  }
  const before = backup.kind === "take" ? "Take a final backup, then delete" : "Delete";
  return wouldDo(
    "delete-cluster",
    `${before} cluster "${cluster.name}" with its data, passwords and certificates; ${keptSentence(cluster, kept)}`,
    {
      nodesPerZone: countPerZone(cluster.nodes),
      interrupts: [`Every connection to cluster "${cluster.name}", for good.`],
      warnings: warningsOf(backup),
    },
  );
}

async function findActive(context: ApiContext, cluster: Cluster): Promise<Operation | null> {
  if (cluster.activeOperationId === null) return null;
  return context.store.getOperation(cluster.activeOperationId);
}

/** Another call may have started a delete since this one looked. */
async function findDelete(
  context: ApiContext,
  clusterId: string,
): Promise<{ cluster: Cluster; operation: Operation } | null> {
  const cluster = await findCluster(context, clusterId);
  const operation = await findActive(context, cluster);
  return operation?.kind === "delete-cluster" ? { cluster, operation } : null;
}

/** A create that failed left nothing behind but its record, which protection must not keep for ever. */
const hasSomethingToLose = (cluster: Cluster): boolean =>
  cluster.status !== "failed" || cluster.nodes.length > 0;

const isBusy = (error: unknown): boolean =>
  error instanceof Problem && error.code === "operation-in-progress";
