import type { FindingKind } from "./findings.ts";

/** When a finding is worth waking somebody, in CloudWatch as in Prometheus. */

/** Clients feel these at once. */
export const urgentFindings: readonly FindingKind[] = ["no-answer", "no-quorum", "no-leader"];
/** All others mend themselves within this, or stay. */
export const patienceMinutes = 5;
/** A volume that fills up is told twice: in time, and at the last moment. */
export const diskAlarmShares = [0.8, 0.9] as const;
