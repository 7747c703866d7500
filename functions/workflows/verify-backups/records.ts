import { type Verification, verificationCourseSchema } from "@pgherd/layers/domain";
import { publishMetrics } from "@pgherd/layers/runtime";
import type { Ending } from "@pgherd/layers/runtime/workflow";
import { coursesOf } from "../course.ts";
import { type ClusterScope, readOperation } from "../create-cluster/records.ts";

export const { read: readCourse, write: writeCourse } = coursesOf(verificationCourseSchema);

export class VerificationError extends Error {
  readonly code = "verification-failed";
}

/** What is damaged fails the operation, which then says so. */
export async function recordFindings(scope: ClusterScope): Promise<string> {
  const { found, message } = await readCourse(scope);
  if (found === null) throw new VerificationError("nobody has read what is stored");
  if (!found.ok)
    throw new VerificationError(`what is stored is damaged: ${message ?? "pgBackRest does not say where"}`);
  await tell(scope, null);
  return `${found.backups} backups and ${found.walSegments} WAL segments are what was written.`;
}

export async function recordFailure(scope: ClusterScope, ending: Ending): Promise<void> {
  if (ending.state === "failed") await tell(scope, ending.message);
}

async function tell(scope: ClusterScope, failure: string | null): Promise<void> {
  const { clusterId, operationId, ports } = scope;
  const [{ createdAt: at }, { found, message }] = await Promise.all([
    readOperation(scope),
    readCourse(scope),
  ]);
  const lastVerification: Verification = {
    at,
    ok: failure === null,
    operationId,
    backups: found?.backups ?? null,
    walSegments: found?.walSegments ?? null,
    message: failure === null ? null : found === null ? failure : (message ?? failure),
  };
  await ports.store.recordProof(clusterId, { lastVerification });
  publishMetrics({ Environment: ports.settings.environment, ClusterId: clusterId }, [
    { name: "VerificationFailed", unit: "Count", value: failure === null ? 0 : 1 },
  ]);
}
