import {
  type Backup,
  type BackupTry,
  backupStatuses,
  newBackup,
  type Operation,
  Problem,
  pendingOperation,
  scheduleName,
  type TimerKind,
  typeTaken,
} from "@pgherd/layers/domain";
import {
  type Executions,
  IdempotencyConflict,
  type IdempotencyRecord,
  type OperationStart,
  type Store,
} from "@pgherd/layers/ports";
import { beginExecution, errorFields, type Log, newId, systemEntry } from "@pgherd/layers/runtime";

export interface BackupStartWorld {
  readonly store: Pick<Store, "getCluster" | "allBackups" | "startBackupOperation">;
  readonly executions: Pick<Executions, "start">;
  readonly now: () => Date;
  readonly log: Log;
}

/** Longer than the scheduler, Lambda and whoever looks after missed backups keep trying. */
const rememberedSeconds = 3 * 24 * 60 * 60;

/**
 * Takes a backup as `POST …/backups` does, once for each (schedule, time that it was due, try). Where it cannot begin
 * now it is left to the reconciler, which begins what was missed. @returns whether it has begun
 */
export async function startScheduledBackup(
  world: BackupStartWorld,
  clusterId: string,
  wanted: BackupTry,
): Promise<boolean> {
  const { log, store } = world;
  const fields = { clusterId, kind: wanted.kind, scheduledAt: wanted.at, attempt: wanted.attempt };
  const cluster = await store.getCluster(clusterId);
  if (cluster === null || (cluster.schedules?.[wanted.kind] ?? null) === null) {
    log("info", "a schedule has fired that is no more", fields);
    return false;
  }
  if (!backupStatuses.includes(cluster.status)) {
    log("info", "a scheduled backup has to wait", { ...fields, status: cluster.status });
    return false;
  }
  const backup = newScheduled(world, clusterId, wanted, await store.allBackups(clusterId));
  const operation = operationOf(backup);
  try {
    await store.startBackupOperation(startOf(operation, wanted, detailOf(backup, wanted)), backup);
  } catch (error) {
    if (!(error instanceof Problem || error instanceof IdempotencyConflict)) throw error;
    log("info", "a scheduled backup does not begin now", { ...fields, ...errorFields(error) });
    return false;
  }
  await beginExecution(world, operation);
  return true;
}

/** Who has started what a schedule starts. */
export const principalOf = (clusterId: string, kind: TimerKind): string =>
  `schedule:${scheduleName(clusterId, kind)}`;

function newScheduled(
  { now }: BackupStartWorld,
  clusterId: string,
  { kind }: BackupTry,
  backups: readonly Backup[],
): Backup {
  const shard = 0;
  return newBackup({
    id: newId("backup"),
    clusterId,
    shard,
    type: typeTaken({ type: kind, shard }, backups),
    operationId: newId("operation"),
    startedBy: principalOf(clusterId, kind),
    startedAt: now().toISOString(),
  });
}

const operationOf = ({ clusterId, id, operationId, startedAt, startedBy }: Backup): Operation =>
  pendingOperation({
    id: operationId,
    clusterId,
    kind: "backup-cluster",
    request: { backupId: id },
    startedBy,
    createdAt: startedAt,
  });

function detailOf({ type }: Backup, { at, attempt, kind }: BackupTry): string {
  const again = attempt === 0 ? "" : `, try ${attempt + 1}`;
  return `Take a ${type} backup, as the schedule of ${kind} ones says for ${at}${again}.`;
}

/** What is written of an operation that a schedule starts, beside what it is about. */
export function startOf(
  operation: Operation,
  wanted: Pick<BackupTry, "at" | "attempt">,
  detail: string,
): OperationStart {
  const { clusterId, createdAt: at, id: operationId, kind: action, startedBy: principal } = operation;
  return {
    operation,
    idempotency: rememberedAs(operation, wanted),
    audit: systemEntry({ clusterId, at, action, principal, operationId, detail }),
  };
}

/** The same, however the time is written. */
export const timeKey = (at: string): string => new Date(at).toISOString();

function rememberedAs(
  { createdAt, id, startedBy }: Operation,
  wanted: Pick<BackupTry, "at" | "attempt">,
): IdempotencyRecord {
  const time = timeKey(wanted.at);
  return {
    principal: startedBy,
    key: wanted.attempt === 0 ? time : `${time}#${wanted.attempt}`,
    requestHash: "",
    status: 202,
    body: JSON.stringify({ operationId: id }),
    headers: {},
    expiresAt: Math.floor(Date.parse(createdAt) / 1000) + rememberedSeconds,
  };
}
