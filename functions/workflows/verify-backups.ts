import { longStep, type Scope, step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { recordFailure, recordFindings } from "./verify-backups/records.ts";
import { type VerifyDeadlines, verify, verifyDeadlines, verifyStep } from "./verify-backups/verify.ts";

/** Of acts that failed in passing. */
const attemptsMax = 6;
/** Everything that is stored is read, which takes hours where there is much: each try waits for minutes of it. */
const verifyAttemptsMax = 200;

/** Nothing is changed: whatever ends it early leaves nothing behind, and the next one begins anew. */
export function verifyBackupsWorkflow(deadlines: VerifyDeadlines = verifyDeadlines): Workflow<ClusterPorts> {
  return {
    kind: "verify-backups",
    attemptsMax,
    isForwardOnly: true,
    chapters: [
      longStep(verifyStep, verifyAttemptsMax, (scope: Scope<ClusterPorts>) => verify(scope, deadlines)),
      step("record", recordFindings),
    ],
    statusAt: () => null,
    atEnd: recordFailure,
  };
}

export const handler = workflowHandler(verifyBackupsWorkflow(), openPorts);
