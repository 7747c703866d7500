import { backupClusterLoop } from "../../functions/workflows/backup-cluster.ts";
import { confirmRestoreWorkflow } from "../../functions/workflows/confirm-restore.ts";
import type { CreateDeadlines } from "../../functions/workflows/create-cluster/deadlines.ts";
import type { MakingPorts } from "../../functions/workflows/create-cluster/ports.ts";
import { createClusterWorkflow } from "../../functions/workflows/create-cluster.ts";
import { createRestorePointWorkflow } from "../../functions/workflows/create-restore-point.ts";
import { deleteBackupWorkflow } from "../../functions/workflows/delete-backup.ts";
import { deleteClusterWorkflow } from "../../functions/workflows/delete-cluster.ts";
import { drillBackupWorkflow } from "../../functions/workflows/drill-backup.ts";
import type { InPlaceDeadlines } from "../../functions/workflows/in-place/deadlines.ts";
import { loadDatabaseLoop } from "../../functions/workflows/load-database.ts";
import { pauseClusterWorkflow } from "../../functions/workflows/pause-cluster.ts";
import { restoreClusterWorkflow } from "../../functions/workflows/restore-cluster.ts";
import { restoreInPlaceWorkflow } from "../../functions/workflows/restore-in-place.ts";
import { resumeClusterWorkflow } from "../../functions/workflows/resume-cluster.ts";
import { rollbackRestoreWorkflow } from "../../functions/workflows/rollback-restore.ts";
import { rotateCertificatesWorkflow } from "../../functions/workflows/rotate-certificates.ts";
import { rotateCredentialsWorkflow } from "../../functions/workflows/rotate-credentials.ts";
import { startClusterWorkflow } from "../../functions/workflows/start-cluster.ts";
import { stopClusterWorkflow } from "../../functions/workflows/stop-cluster.ts";
import { undeleteClusterWorkflow } from "../../functions/workflows/undelete-cluster.ts";
import { verifyBackupsWorkflow } from "../../functions/workflows/verify-backups.ts";
import type { OperationKind } from "../../layers/domain/index.ts";
import type { Executions } from "../../layers/ports/index.ts";
import { loopHandler, workflowHandler } from "../../layers/runtime/workflow.ts";

/** Steps that never answer must not hold a test for minutes. */
const deadlines: CreateDeadlines = {
  instanceSeconds: 1,
  agentSeconds: 1,
  prepareSeconds: 1,
  configureSeconds: 1,
  membersSeconds: 1,
  databaseSeconds: 1,
  archiveSeconds: 1,
  verifySeconds: 1,
  sourceMs: 50,
};
const stopDeadlines = { clientsSeconds: 1, postgresSeconds: 1, instanceSeconds: 2 };
const backupPatience = {
  prepareSeconds: 1,
  shortSeconds: 1,
  deleteSeconds: 1,
  sliceMs: 40,
  lookMs: 5,
  pauseMs: 1,
  silenceMs: 50,
  nobodyMs: 100,
};
const checkPatience = { shortSeconds: 1, sliceMs: 40, lookMs: 5 };
const deletePatience = { sliceMs: 10_000, lookMs: 5, clientsSeconds: 1, archiveSeconds: 1 };
const pointPatience = { seconds: 1, nobodyMs: 50, lookMs: 5 };
const inPlacePatience: InPlaceDeadlines = {
  ...deadlines,
  shortSeconds: 1,
  transactionSeconds: 1,
  preserveSeconds: 1,
  stopSeconds: 1,
  lookSeconds: 1,
  leadSeconds: 1,
  putBackSeconds: 1,
  returnSeconds: 1,
  dropSeconds: 1,
  // Three refusals, on a busy machine.
  insistMs: 500,
  sliceMs: 400,
  lookMs: 5,
};

export type Handlers = Partial<Record<OperationKind, (event: never, context: never) => Promise<unknown>>>;

/** Every workflow, with the patience of a test. */
export function workflowHandlers(ports: MakingPorts, executions: Executions): Handlers {
  return {
    "create-cluster": workflowHandler(createClusterWorkflow(deadlines), () => ports),
    "restore-cluster": workflowHandler(restoreClusterWorkflow(deadlines, backupPatience), () => ports),
    "undelete-cluster": workflowHandler(undeleteClusterWorkflow(deadlines), () => ports),
    "delete-cluster": workflowHandler(deleteClusterWorkflow(deletePatience), () => ({
      ...ports,
      executions,
    })),
    "create-restore-point": workflowHandler(createRestorePointWorkflow(pointPatience), () => ports),
    "stop-cluster": workflowHandler(stopClusterWorkflow(stopDeadlines), () => ports),
    "start-cluster": workflowHandler(startClusterWorkflow(deadlines), () => ports),
    "pause-cluster": workflowHandler(pauseClusterWorkflow, () => ports),
    "resume-cluster": workflowHandler(resumeClusterWorkflow, () => ports),
    "rotate-credentials": workflowHandler(rotateCredentialsWorkflow, () => ports),
    "rotate-certificates": workflowHandler(rotateCertificatesWorkflow(deadlines), () => ports),
    "restore-in-place": workflowHandler(restoreInPlaceWorkflow(inPlacePatience), () => ports),
    "rollback-restore": workflowHandler(rollbackRestoreWorkflow(inPlacePatience), () => ports),
    "confirm-restore": workflowHandler(confirmRestoreWorkflow(inPlacePatience), () => ports),
    "backup-cluster": loopHandler(backupClusterLoop(backupPatience), () => ports),
    "load-database": loopHandler(loadDatabaseLoop(backupPatience), () => ports),
    "drill-backup": workflowHandler(drillBackupWorkflow(deadlines, checkPatience), () => ports),
    "verify-backups": workflowHandler(verifyBackupsWorkflow(backupPatience), () => ports),
    "delete-backup": workflowHandler(deleteBackupWorkflow(backupPatience), () => ports),
  };
}
