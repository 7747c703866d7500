import { type Intent, planNext } from "../plan.ts";
import { afterChange } from "./after-change.ts";
import type { Blocked, Change } from "./change.ts";
import type { ObservedCluster } from "./observed.ts";

/** A converge of nine nodes that replaces each and moves etcd takes some 150 changes. */
const changesMax = 500;

/** Every change that a converge would make from here, in order, if each does what it should. */
export function forecast(
  intent: Intent,
  observed: ObservedCluster,
): { changes: Change[]; blocked: string | null; end: ObservedCluster } {
  const changes: Change[] = [];
  let state = observed;
  for (;;) {
    const plan = planNext(intent, state);
    if (plan === null) return { changes, blocked: null, end: state };
    if (isBlocked(plan)) return { changes, blocked: plan.blocked, end: state };
    if (changes.length === changesMax)
      throw new Error(`a plan of more than ${changesMax} changes has no end`);
    changes.push(plan.change);
    state = afterChange(state, plan.change);
  }
}

function isBlocked(plan: { readonly change: Change } | Blocked): plan is Blocked {
  return "blocked" in plan;
}
