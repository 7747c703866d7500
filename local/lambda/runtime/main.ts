/**
 * A function's process: loads the handler as Lambda's Node.js runtime does and runs one invocation at a time.
 * It ends with its host: without the IPC channel nobody is left to answer to.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { traceVariable } from "../../../layers/domain/trace.ts";
import { watchDynamoDb } from "./dynamodb-calls.ts";
import type { FunctionErrorPayload, InvokeMessage, ProcessMessage } from "./messages.ts";
import { installResolver } from "./resolver.ts";

type Handler = (event: unknown, context: unknown) => unknown;

const taskRoot = required("LAMBDA_TASK_ROOT");
const [moduleName = "", exportName = ""] = required("_HANDLER").split(".");

process.once("disconnect", () => process.exit(0));
// A terminal's interrupt reaches the whole process group: the host decides when its functions end.
process.on("SIGINT", () => undefined);

installResolver({
  taskRoot,
  layerModules: (process.env["PGHERD_LAYER_MODULES"] ?? "").split(":").filter((path) => path !== ""),
  runtimeModules: process.env["PGHERD_RUNTIME_MODULES"] ?? "",
});
delete process.env["PGHERD_LAYER_MODULES"];
delete process.env["PGHERD_RUNTIME_MODULES"];

watchDynamoDb((use) => tell({ type: "table", use }));

const handler = await loadHandler();
if (handler !== null) {
  process.on("message", (message: InvokeMessage) => void invoke(handler, message));
  tell({ type: "ready" });
}

async function loadHandler(): Promise<Handler | null> {
  try {
    for (const extension of ["mjs", "js"]) {
      const module = await importIfThere(join(taskRoot, `${moduleName}.${extension}`));
      const exported = module?.[exportName];
      if (typeof exported === "function") return exported as Handler;
      if (module !== null) throw new Error(`${moduleName}.${exportName} is not a function`);
    }
    throw new Error(`Cannot find module '${moduleName}' in ${taskRoot}`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    tell({ type: "init-error", error: describe(error) });
    process.exitCode = 1;
    process.disconnect();
    return null;
  }
}

async function importIfThere(path: string): Promise<Record<string, unknown> | null> {
  return existsSync(path) ? ((await import(pathToFileURL(path).href)) as Record<string, unknown>) : null;
}

async function invoke(handle: Handler, message: InvokeMessage): Promise<void> {
  const { requestId } = message;
  process.env[traceVariable] = message.trace;
  try {
    const event: unknown = message.payload === "" ? {} : JSON.parse(message.payload);
    const result = await handle(event, contextOf(message));
    tell({ type: "result", requestId, payload: JSON.stringify(result) ?? "null" });
  } catch (error) {
    process.stderr.write(`${requestId} ${error instanceof Error ? error.stack : String(error)}\n`);
    tell({ type: "error", requestId, error: describe(error) });
  }
}

function contextOf(message: InvokeMessage): Record<string, unknown> {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env["AWS_LAMBDA_FUNCTION_NAME"],
    functionVersion: process.env["AWS_LAMBDA_FUNCTION_VERSION"],
    memoryLimitInMB: process.env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
    logGroupName: process.env["AWS_LAMBDA_LOG_GROUP_NAME"],
    logStreamName: process.env["AWS_LAMBDA_LOG_STREAM_NAME"],
    invokedFunctionArn: message.functionArn,
    awsRequestId: message.requestId,
    getRemainingTimeInMillis: () => Math.max(0, message.deadline - Date.now()),
  };
}

function describe(error: unknown): FunctionErrorPayload {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error) };
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? "").split("\n") };
}

function tell(message: ProcessMessage): void {
  if (process.connected) process.send?.(message);
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: this file is started by the function host`);
  return value;
}
