import type { ClusterScope } from "./create-cluster/records.ts";

/** Read anew each time: somebody may cancel while a step waits. */
export async function isCancelled({
  operationId,
  ports,
}: Pick<ClusterScope, "operationId" | "ports">): Promise<boolean> {
  return (await ports.store.getOperation(operationId))?.cancelRequested === true;
}

/** By its name it passes: the step is tried again. */
class StillAtWork extends Error {
  override readonly name = "TimeoutError";
}

/**
 * What the try of a step throws that waits for something long and has seen it at work: another try goes on waiting, and
 * nobody takes the operation for stuck meanwhile.
 */
export async function stillAtWork(
  { operationId, ports }: Pick<ClusterScope, "operationId" | "ports">,
  step: string,
  detail: string,
): Promise<Error> {
  await hear({ operationId, ports }, step, detail);
  return new StillAtWork(detail);
}

/** Says in the operation's step how far it is. */
export async function hear(
  { operationId, ports }: Pick<ClusterScope, "operationId" | "ports">,
  step: string,
  detail: string,
): Promise<void> {
  const operation = await ports.store.getOperation(operationId);
  const known = operation?.steps.find(({ name }) => name === step);
  const heardAt = new Date().toISOString();
  await ports.store.updateStep(operationId, {
    name: step,
    state: "running",
    startedAt: known?.startedAt ?? heardAt,
    endedAt: null,
    detail,
    heardAt,
  });
}
