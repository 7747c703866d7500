import { type ClusterDrill, type DrillCourse, drillCourseSchema, objectionIn } from "@pgherd/layers/domain";
import { publishMetrics } from "@pgherd/layers/runtime";
import type { Ending } from "@pgherd/layers/runtime/workflow";
import { coursesOf } from "../course.ts";
import { type ClusterScope, readOperation } from "../create-cluster/records.ts";
import { drillOf } from "./throw-away.ts";

/** The rest is of the same kind, and the operation's steps have more. */
const messageCharactersMax = 600;

export const { read: readCourse, write: writeCourse } = coursesOf(drillCourseSchema);

const readBoth = (scope: ClusterScope) => Promise.all([readOperation(scope), readCourse(scope)]);

/** From the call on, as whoever waits for a restore would count. The first time that somebody looks is the one. */
export async function measure(scope: ClusterScope): Promise<string> {
  const [{ createdAt }, { restoreSeconds: before }] = await readBoth(scope);
  const seconds = before ?? (Date.now() - Date.parse(createdAt)) / 1000;
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
  const [{ createdAt: at }, course] = await readBoth(scope);
  const objection = course.checks === null ? null : objectionIn(course.checks);
  return {
    at,
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
  publishMetrics({ Environment: ports.settings.environment, ClusterId: clusterId }, [
    { name: "DrillFailed", unit: "Count", value: ok ? 0 : 1 },
    ...(ok && restoreSeconds !== null
      ? [{ name: "DrillRestoreSeconds", unit: "Seconds", value: restoreSeconds } as const]
      : []),
  ]);
}
