import {
  deleteRequestSchema,
  finalBackupFailed,
  newBackup,
  type Operation,
  Problem,
  pendingOperation,
  typeTaken,
} from "@pgherd/layers/domain";
import type { Executions } from "@pgherd/layers/ports";
import { beginExecution, log, systemEntry, systemPrincipal } from "@pgherd/layers/runtime";
import type { Scope } from "@pgherd/layers/runtime/workflow";
import { readCluster } from "../create-cluster/records.ts";
import type { ClusterPorts } from "../ports.ts";
import { hear, isCancelled, stillAtWork } from "../still-at-work.ts";
import type { DeleteDeadlines } from "./deadlines.ts";

export interface DeletePorts extends ClusterPorts {
  readonly executions: Pick<Executions, "start">;
}
export type DeleteScope = Scope<DeletePorts>;

const step = "final-backup";

/** The ids were made by the call: whoever takes over waits for the same backup. */
export const wantedBackup = ({ request }: DeleteScope) => deleteRequestSchema.parse(request).finalBackup;

type Wanted = NonNullable<ReturnType<typeof wantedBackup>>;

/**
 * A backup like any other, taken by an operation of its own; here it is only waited for. Until it is there nothing of
 * the cluster is touched.
 */
export async function finalBackup(scope: DeleteScope, { lookMs, sliceMs }: DeleteDeadlines): Promise<string> {
  const wanted = wantedBackup(scope);
  if (wanted === null) return "There is none.";
  const deadline = Date.now() + sliceMs;
  for (;;) {
    const { detail, isDone } = await look(scope, wanted);
    if (isDone) return detail;
    if (await isCancelled(scope)) return cancel(scope, wanted);
    if (Date.now() > deadline) throw await stillAtWork(scope, step, detail);
    await hear(scope, step, detail);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

interface Seen {
  readonly isDone: boolean;
  readonly detail: string;
}

async function look(scope: DeleteScope, wanted: Wanted): Promise<Seen> {
  const operation = await scope.ports.store.getOperation(wanted.operationId);
  switch (operation?.state) {
    case undefined:
      return begin(scope, wanted);
    case "succeeded":
      return { isDone: true, detail: `Backup ${wanted.backupId}.` };
    case "failed":
    case "cancelled":
      throw new FinalBackupError(finalBackupFailed(reasonOf(operation)));
    case "pending":
    case "running":
      return { isDone: false, detail: taking(wanted) };
  }
}

const taking = ({ backupId, operationId }: Wanted): string =>
  `Operation ${operationId} takes backup ${backupId}.`;

const reasonOf = ({ error, state }: Operation): string =>
  state === "cancelled" ? "it was cancelled" : (error?.message ?? "it gave no reason");

class FinalBackupError extends Error {
  readonly code = "final-backup-failed";
}

async function begin(scope: DeleteScope, wanted: Wanted): Promise<Seen> {
  const { clusterId, ports } = scope;
  const { operationId } = wanted;
  try {
    await write(scope, wanted);
  } catch (error) {
    // Somebody else at this same step may have come first.
    if ((await ports.store.getOperation(operationId)) !== null)
      return { isDone: false, detail: taking(wanted) };
    if (!(error instanceof Problem) || error.code !== "backup-in-progress") throw error;
    const { backupOperationId } = await readCluster(scope);
    return {
      isDone: false,
      detail: `Operation ${backupOperationId}, which is about another backup, is waited for.`,
    };
  }
  const { executions } = ports;
  await beginExecution({ executions, log }, { id: operationId, clusterId, kind: "backup-cluster" });
  return { isDone: false, detail: taking(wanted) };
}

async function write(scope: DeleteScope, { backupId, operationId }: Wanted): Promise<void> {
  const { clusterId, ports } = scope;
  const at = new Date().toISOString();
  const startedBy = (await ports.store.getOperation(scope.operationId))?.startedBy ?? systemPrincipal;
  const operation = pendingOperation({
    id: operationId,
    clusterId,
    kind: "backup-cluster",
    request: { backupId },
    startedBy,
    createdAt: at,
  });
  const shard = 0;
  const backup = newBackup({
    id: backupId,
    clusterId,
    shard,
    // What builds on the backups that there are is taken soonest, and all of them go together.
    type: typeTaken({ type: "incr", shard }, await ports.store.allBackups(clusterId)),
    operationId,
    startedBy,
    startedAt: at,
  });
  const detail = "Take the final backup.";
  const audit = systemEntry({ clusterId, at, action: "backup-cluster", operationId, detail });
  await ports.store.startBackupOperation({ operation, audit, idempotency: null }, backup);
}

/** The backup ends by itself then, within seconds. */
async function cancel({ clusterId, ports }: DeleteScope, { operationId }: Wanted): Promise<string> {
  const at = new Date().toISOString();
  const detail = "Cancel backup-cluster.";
  const audit = systemEntry({ clusterId, at, action: "cancel-operation", operationId, detail });
  try {
    await ports.store.requestCancel(operationId, audit, null);
  } catch (error) {
    if (!(error instanceof Problem) || !["operation-ended", "not-found"].includes(error.code)) throw error;
  }
  return "It is cancelled.";
}
