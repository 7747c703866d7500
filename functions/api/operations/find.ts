import { type Operation, Problem } from "@pgherd/layers/domain";
import type { ApiContext } from "../context.ts";

export async function findOperation({ store }: ApiContext, operationId: string): Promise<Operation> {
  const operation = await store.getOperation(operationId);
  if (operation === null) throw new Problem("not-found", `There is no operation ${operationId}.`);
  return operation;
}
