import {
  type DurableExecutionClient,
  DurableExecutionInvocationInputWithClient,
} from "@aws/durable-execution-sdk-js";
import { ServiceError } from "../../local/endpoints/service.ts";
import type { DurableEngine, DurableEngineOptions } from "../../local/lambda/durable/engine.ts";
import type { OperationUpdate } from "../../local/lambda/durable/types.ts";
import type { DurableAnswer } from "../../local/lambda/durable/wire.ts";

/** Thrown by a checkpoint hook: the function's process ends at this very point, as far as the engine can tell. */
export class SimulatedCrash extends Error {
  override readonly name = "SimulatedCrash";
}

type DurableHandler = (event: unknown, context: unknown) => Promise<unknown>;

/** A test that takes longer than this for one invocation waits for something that will not come. */
const invocationMs = 15 * 60 * 1000;

/** What a workflow waits for on paper is there at once: its waits stay waits, and take this part of their time. */
export const haste = 1 / 50;

function hurried(update: OperationUpdate): OperationUpdate {
  const { StepOptions: step, WaitOptions: wait } = update;
  const delay = step?.NextAttemptDelaySeconds;
  return {
    ...update,
    ...(delay === undefined ? {} : { StepOptions: { ...step, NextAttemptDelaySeconds: delay * haste } }),
    ...(wait?.WaitSeconds === undefined ? {} : { WaitOptions: { WaitSeconds: wait.WaitSeconds * haste } }),
  };
}

/**
 * Runs durable handlers in this process instead of one of their own: the real SDK against the real engine without
 * HTTP between them. What crosses the border goes through JSON, as on the wire.
 *
 * @param handlerOf the wrapped handler (`withDurableExecution(…)`) of a function
 * @param engine the engine that invokes; a function because the engine needs the invoker first
 */
export function inProcessInvoker(
  handlerOf: (functionName: string) => DurableHandler,
  engine: () => DurableEngine,
): DurableEngineOptions["invoke"] {
  return async ({ functionName, event }) => {
    const crash = Promise.withResolvers<never>();
    // Without a listener a crash that comes after the race was decided would end the test run.
    crash.promise.catch(() => undefined);
    const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        if (error instanceof SimulatedCrash) {
          crash.reject(error);
          return new Promise<never>(() => undefined);
        }
        // The execution was stopped: its process is gone, and nobody is left to be told.
        if (error instanceof ServiceError && engine().get(event.DurableExecutionArn).status !== "RUNNING") {
          return new Promise<never>(() => undefined);
        }
        throw error instanceof ServiceError ? asSdkError(error) : error;
      }
    };
    const client: DurableExecutionClient = {
      checkpoint: (params) =>
        guarded(async () => {
          const updates = JSON.parse(JSON.stringify(params.Updates ?? [])) as OperationUpdate[];
          const answer = await engine().checkpoint(
            {
              arn: params.DurableExecutionArn ?? "",
              token: params.CheckpointToken ?? "",
              clientToken: params.ClientToken ?? null,
              updates: updates.map(hurried),
            },
            "iso",
          );
          return throughJson(answer);
        }),
      getExecutionState: (params) =>
        guarded(async () =>
          throughJson(
            engine().state(
              {
                arn: params.DurableExecutionArn ?? "",
                token: params.CheckpointToken ?? "",
                marker: params.Marker ?? null,
                itemsMax: params.MaxItems ?? null,
              },
              "iso",
            ),
          ),
        ),
    };
    const input = new DurableExecutionInvocationInputWithClient(throughJson(event), client);
    const deadline = Date.now() + invocationMs;
    const context = {
      functionName,
      awsRequestId: event.CheckpointToken,
      invokedFunctionArn: event.DurableExecutionArn.split("/durable-execution/")[0],
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
    const answer = await Promise.race([handlerOf(functionName)(input, context), crash.promise]);
    return throughJson<DurableAnswer>(answer);
  };
}

function throughJson<T>(value: unknown): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** The SDK reads failures as the AWS SDK shapes them. */
function asSdkError(error: ServiceError): Error {
  return Object.assign(new Error(error.message, { cause: error }), {
    name: error.code,
    $metadata: { httpStatusCode: error.statusCode },
  });
}
