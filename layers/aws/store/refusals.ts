import { Problem } from "../../domain/problems.ts";

export const noCluster = (clusterId: string, cause?: unknown): Problem =>
  new Problem("not-found", `There is no cluster ${clusterId}.`, { cause });
export const noOperation = (operationId: string, cause?: unknown): Problem =>
  new Problem("not-found", `There is no operation ${operationId}.`, { cause });

export function inProgress(clusterId: string, operationId: string, cause: unknown): Problem {
  return new Problem(
    "operation-in-progress",
    `Cluster ${clusterId} runs operation ${operationId}. Wait until it has ended, or cancel it.`,
    { cause },
  );
}

export function backupInProgress(clusterId: string, operationId: string, cause: unknown): Problem {
  return new Problem(
    "backup-in-progress",
    `Cluster ${clusterId} runs operation ${operationId}, which is about a backup. Wait until it has ended, or cancel it.`,
    { cause },
  );
}

export const backupsRemoved = (clusterId: string, cause?: unknown): Problem =>
  new Problem(
    "backups-removed",
    `The backups of deleted cluster ${clusterId} are gone, or are being removed: their time is over.`,
    { cause },
  );

export const ended = (operationId: string, state: string | undefined, cause: unknown): Problem =>
  new Problem("operation-ended", `Operation ${operationId} has already ended: ${state}.`, { cause });
