import {
  type ClusterDrill,
  type DrillCourse,
  drillCourseSchema,
  type Operation,
  objectionIn,
} from "@pgherd/layers/domain";
import { publishMetrics } from "@pgherd/layers/runtime";
import type { Ending } from "@pgherd/layers/runtime/workflow";
import { type ClusterScope, known } from "../create-cluster/records.ts";
import { drillOf } from "./throw-away.ts";

/** The rest is of the same kind, and the operation's steps have more. */
const messageCharactersMax = 600;

async function readOperation({ operationId, ports }: ClusterScope): Promise<Operation> {
  return known(await ports.store.getOperation(operationId), "operation", operationId);
}

const courseOf = ({ result }: Operation): DrillCourse => drillCourseSchema.parse(result ?? {});

export const readCourse = async (scope: ClusterScope): Promise<DrillCourse> =>
  courseOf(await readOperation(scope));

/** Recorded at once: whoever takes over goes on from here. */
export async function writeCourse(scope: ClusterScope, change: Partial<DrillCourse>): Promise<void> {
  const course = await readCourse(scope);
  await scope.ports.store.putOperationResult(scope.operationId, { ...course, ...change });
}

/** From the call on, as whoever waits for a restore would count. The first time that somebody looks is the one. */
export async function measure(scope: ClusterScope): Promise<string> {
  const operation = await readOperation(scope);
  const before = courseOf(operation).restoreSeconds;
  const seconds = before ?? (Date.now() - Date.parse(operation.createdAt)) / 1000;
  const restoreSeconds = Math.round(seconds * 10) / 10;
  await writeCourse(scope, { restoreSeconds });
  return `The data was there after ${restoreSeconds} s.`;
}

/** At the backup, at the cluster, and as a metric. */
export async function recordSuccess(scope: ClusterScope): Promise<string> {
  const { clusterId, ports } = scope;
  const { backupId } = drillOf(scope);
  const drill = await drillAs(scope, null);
  const backup = await ports.store.getBackup(clusterId, backupId);
  const { at, restoreSeconds } = drill;
  await tell(scope, drill);
  if (restoreSeconds === null) return "It was not measured.";
  const measuredRecovery = { at, restoreSeconds, backupId, sizeBytes: backup?.sizeBytes ?? null };
  await ports.store.recordProof(clusterId, { measuredRecovery });
  return `Backup ${backupId} was restored in ${restoreSeconds} s.`;
}

/** One that was cancelled proves nothing, and what was proven stays so whatever comes after it. */
export async function recordFailure(scope: ClusterScope, ending: Ending): Promise<void> {
  if (ending.state !== "failed" || ending.isPastReturn) return;
  await tell(scope, await drillAs(scope, ending.message));
}

async function drillAs(scope: ClusterScope, message: string | null): Promise<ClusterDrill & DrillCourse> {
  const operation = await readOperation(scope);
  const course = courseOf(operation);
  const objection = course.checks === null ? null : objectionIn(course.checks);
  return {
    at: operation.createdAt,
    ok: message === null,
    operationId: scope.operationId,
    backupId: drillOf(scope).backupId,
    ...course,
    message: (objection ?? message)?.slice(0, messageCharactersMax) ?? null,
  };
}

async function tell(scope: ClusterScope, told: ClusterDrill & DrillCourse): Promise<void> {
  const { clusterId, ports } = scope;
  const { checks, ...drill } = told;
  const { backupId, ...ofBackup } = drill;
  await ports.store.recordDrill(clusterId, backupId, { ...ofBackup, checks });
  await ports.store.recordProof(clusterId, { lastDrill: drill });
  const { ok, restoreSeconds } = drill;
  publishMetrics({ environment: ports.settings.environment, clusterId }, [
    { name: "DrillFailed", unit: "Count", value: ok ? 0 : 1 },
    ...(ok && restoreSeconds !== null
      ? [{ name: "DrillRestoreSeconds", unit: "Seconds", value: restoreSeconds } as const]
      : []),
  ]);
}
