import type { Plan } from "./plan/change.ts";
import type { ObservedCluster } from "./plan/observed.ts";
import type { ConvergeRequest } from "./plan/request.ts";
import type { ClusterSpec } from "./spec.ts";

export type { Blocked, Change, ChangeKind, Plan } from "./plan/change.ts";
export type * from "./plan/observed.ts";
export * from "./plan/request.ts";

/** What the cluster should become. */
export interface Intent {
  readonly spec: ClusterSpec;
  readonly request: ConvergeRequest;
}

/**
 * The next single change on the way from what is observed to what is meant, or null when there is none left. Pure: the
 * same cluster always gets the same plan, and a converge that was interrupted anywhere goes on by planning again.
 */
export function planNext(intent: Intent, _observed: ObservedCluster): Plan {
  if (intent.request.isRecordOnly) return null;
  return null;
}
