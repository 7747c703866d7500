import type { Operation } from "../domain/operation/operation.ts";
import type { Executions } from "../ports/executions.ts";
import { errorFields, type Log } from "./log.ts";

/** The operation is written: what is lost here is started by whoever looks after stuck ones. */
export async function beginExecution(
  { executions, log }: { readonly executions: Pick<Executions, "start">; readonly log: Log },
  { clusterId, id: operationId, kind }: Pick<Operation, "clusterId" | "id" | "kind">,
): Promise<void> {
  try {
    await executions.start(kind, { operationId, clusterId });
  } catch (error) {
    log("error", "the execution could not be started", { operationId, kind, ...errorFields(error) });
  }
}
