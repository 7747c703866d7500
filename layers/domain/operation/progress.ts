import type { OperationState, OperationStep, StepState } from "./operation.ts";

/** An operation that has not ended never says 1: whoever polls for 1 would read a result that is not there yet. */
const progressWhileOpenMax = 0.99;

const unfinished: readonly StepState[] = ["pending", "running"];

/** Share of steps that are through, forward or backward: it never falls while an operation unwinds. */
export function progressOf(state: OperationState, steps: readonly OperationStep[]): number {
  if (state === "succeeded") return 1;
  if (steps.length === 0) return 0;
  const through = steps.filter((step) => !unfinished.includes(step.state)).length;
  return Math.min(Math.round((through / steps.length) * 100) / 100, progressWhileOpenMax);
}
