import { withDurableExecution } from "@aws/durable-execution-sdk-js";
import { z } from "zod";
import { clusterIdSchema, operationIdSchema } from "../domain/ids.ts";
import { continueTrace } from "./trace.ts";
import { conduct } from "./workflow/conduct.ts";
import type { Workflow } from "./workflow/declaration.ts";
import { conductLoop, type Loop } from "./workflow/loop.ts";
import type { WorkflowPorts } from "./workflow/run.ts";

export {
  type Act,
  type Chapter,
  type Ending,
  eachNode,
  longStep,
  type NodeAct,
  type NodeUndo,
  pointOfNoReturn,
  type Scope,
  type Step,
  step,
  stepsOf,
  together,
  type Undo,
  type Workflow,
} from "./workflow/declaration.ts";
export { type Failure, failureOf, isPassing } from "./workflow/failure.ts";
export type { Loop } from "./workflow/loop.ts";
export type { WorkflowPorts } from "./workflow/run.ts";

const inputSchema = z.strictObject({
  operationId: operationIdSchema,
  clusterId: clusterIdSchema,
  recovery: z.strictObject({ attempt: z.int().min(1), reason: z.string() }).optional(),
  trace: z.string().optional(),
});

/** Lambda runs an execution in many invocations, each with a trace of its own: they go on in the one of its call. */
function readInput(event: unknown): z.infer<typeof inputSchema> {
  const input = inputSchema.parse(event);
  if (input.trace !== undefined) continueTrace(input.trace);
  return input;
}

/**
 * A durable function's handler for a workflow.
 * @param openPorts called once per process, at the first invocation
 */
export function workflowHandler<Ports extends WorkflowPorts>(
  workflow: Workflow<Ports>,
  openPorts: () => Ports,
): ReturnType<typeof withDurableExecution> {
  let ports: Ports | undefined;
  return withDurableExecution(async (event: unknown, context) => {
    ports ??= openPorts();
    return conduct(context, workflow, readInput(event), ports);
  });
}

/** A durable function's handler for a loop. */
export function loopHandler<Ports extends WorkflowPorts, Change>(
  loop: Loop<Ports, Change>,
  openPorts: () => Ports,
): ReturnType<typeof withDurableExecution> {
  let ports: Ports | undefined;
  return withDurableExecution(async (event: unknown, context) => {
    ports ??= openPorts();
    return conductLoop(context, loop, readInput(event), ports);
  });
}
