import type { OperationStep } from "../../layers/domain/index.ts";
import type { Store } from "../../layers/ports/index.ts";

/** Hears of every step that is written from now on, once it is. */
export function onStep(
  store: Store,
  heard: (step: OperationStep, operationId: string) => Promise<unknown> | unknown,
): void {
  const { updateStep, updateSteps } = store;
  store.updateStep = async (id, step) => {
    await updateStep(id, step);
    await heard(step, id);
  };
  store.updateSteps = async (id, steps) => {
    await updateSteps(id, steps);
    for (const step of steps) await heard(step, id);
  };
}
