import { randomUUID } from "node:crypto";

/** A callback's id says where it belongs; its random part makes it unguessable. */
export function newCallbackId(executionName: string, operationId: string): string {
  return Buffer.from(JSON.stringify([executionName, operationId, randomUUID()])).toString("base64url");
}

/** An id that nobody made answers names that belong to nothing. */
export function operationOfCallback(callbackId: string): { executionName: string; operationId: string } {
  try {
    const [executionName, operationId] = JSON.parse(
      Buffer.from(callbackId, "base64url").toString("utf8"),
    ) as unknown[];
    return { executionName: String(executionName), operationId: String(operationId) };
  } catch {
    return { executionName: "", operationId: "" };
  }
}
