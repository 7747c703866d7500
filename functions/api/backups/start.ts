import { type Backup, backupStatuses, type Cluster, type Operation, Problem } from "@pgherd/layers/domain";
import { type Answer, type Call, checkIfMatch } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { accepted, startEntry, startExecution } from "../mutation.ts";
import { backupAcceptedAnswer, dryRunAnswer } from "../schemas.ts";
import { checkStatus } from "../start-operation.ts";

/** @param because what is in the way of the call, as a clause. @throws {Problem} `backup-in-progress` */
export function checkNoBackupRuns({ backupOperationId, id }: Cluster, because?: string): void {
  if (backupOperationId === null) return;
  const why = because === undefined ? "" : `: ${because}`;
  throw new Problem(
    "backup-in-progress",
    `Cluster ${id} runs operation ${backupOperationId}, which is about a backup${why}. Wait until it has ended, or cancel it.`,
  );
}

/** Answers of every call that starts an operation about a backup. */
export const backupResponses = {
  200: { description: "What would happen (`dryRun=true`).", schema: dryRunAnswer },
  202: {
    description: "The backup as it is now, and the operation that is about it.",
    schema: backupAcceptedAnswer,
    headers: { Location: "Where to watch the operation." },
  },
} as const;

export const backupProblems = [
  "not-found",
  "wrong-status",
  "backup-in-progress",
  "precondition-failed",
] as const;

/** @throws {Problem} `precondition-failed`, `backup-in-progress`, `wrong-status` */
export function checkBackupReady(call: Pick<Call, "ifMatch">, cluster: Cluster, verb: string): void {
  checkIfMatch(call.ifMatch, cluster.generation);
  checkNoBackupRuns(cluster);
  checkStatus(cluster, verb, backupStatuses);
}

/** Writes the backup as it is meant to be, and starts the operation. */
export async function startBackupOperation(
  context: ApiContext,
  call: Call,
  started: {
    readonly operation: Operation;
    readonly backup: Backup;
    readonly summary: string;
    readonly warnings: readonly string[];
  },
): Promise<Answer> {
  const { backup, operation, summary, warnings } = started;
  const audit = startEntry(call, operation, summary);
  const answer = accepted(operation, { backup, warnings });
  const idempotency = call.remember(answer);
  await context.store.startBackupOperation({ operation, audit, idempotency }, backup);
  await startExecution(context, operation);
  return answer;
}
