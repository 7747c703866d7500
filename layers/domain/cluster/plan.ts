import type { Plan } from "./plan/change.ts";
import * as contents from "./plan/contents.ts";
import * as membership from "./plan/membership.ts";
import type { ObservedCluster } from "./plan/observed.ts";
import * as repair from "./plan/repair.ts";
import { rollOver } from "./plan/rolling.ts";
import { type Intent, type Situation, situationOf } from "./plan/situation.ts";

export type { Blocked, Change, ChangeKind, Plan } from "./plan/change.ts";
export type * from "./plan/observed.ts";
export * from "./plan/request.ts";
export type { Intent } from "./plan/situation.ts";

/**
 * In this order, the first that has something to do decides. What is there is repaired before anything is added,
 * everything is added before anything is taken away, and nobody is taken away while somebody else is missing.
 */
const rules: readonly ((situation: Situation) => Plan)[] = [
  contents.applySecurityRules,
  repair.restoreQuorum,
  membership.removeStaleDcsMembers,
  repair.replaceDead,
  repair.fillPlaces,
  repair.awaitSilent,
  repair.configureStale,
  contents.applyDynamicConfiguration,
  repair.awaitMembers,
  membership.addNodes,
  membership.settleServices,
  contents.growVolumes,
  contents.applyDatabase,
  membership.settleDcs,
  rollOver,
  contents.discardLeftovers,
  membership.removeNodes,
];

/**
 * The next single change on the way from what is observed to what is meant, or null when there is none left. Pure: the
 * same cluster always gets the same plan, and a converge that was interrupted anywhere goes on by planning again.
 */
export function planNext(intent: Intent, observed: ObservedCluster): Plan {
  if (intent.request.isRecordOnly) return null;
  const situation = situationOf(intent, observed);
  for (const rule of rules) {
    const plan = rule(situation);
    if (plan !== null) return plan;
  }
  return null;
}
