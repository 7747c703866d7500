import {
  InvokeCommand,
  LambdaClient,
  type LambdaClientConfig,
  ListDurableExecutionsByFunctionCommand,
} from "@aws-sdk/client-lambda";
import { executionName } from "../domain/cluster/names.ts";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { OperationKind } from "../domain/operation/operation.ts";
import type { Executions } from "../ports/executions.ts";
import { clientBehaviour } from "./clients.ts";
import { isAwsError } from "./errors.ts";

/** Durable executions on Lambda, started through the alias that the environment names. */
export class LambdaExecutions implements Executions {
  readonly #client: LambdaClient;
  readonly #settings: EnvironmentSettings;

  constructor(settings: EnvironmentSettings, config: LambdaClientConfig = {}) {
    this.#client = new LambdaClient({ ...clientBehaviour, ...config });
    this.#settings = settings;
  }

  start: Executions["start"] = async (kind, input) => {
    const name = executionName(input.operationId, input.recovery?.attempt);
    try {
      await this.#client.send(
        new InvokeCommand({
          FunctionName: this.#alias(kind),
          InvocationType: "Event",
          DurableExecutionName: name,
          Payload: new TextEncoder().encode(JSON.stringify(input)),
        }),
      );
    } catch (error) {
      if (!isAwsError(error, ["DurableExecutionAlreadyStartedException"])) throw error;
    }
  };

  find: Executions["find"] = async (kind, operationId, attempt) => {
    const { functionName, qualifier } = splitAlias(this.#alias(kind));
    const answer = await this.#client.send(
      new ListDurableExecutionsByFunctionCommand({
        FunctionName: functionName,
        Qualifier: qualifier,
        DurableExecutionName: executionName(operationId, attempt),
      }),
    );
    const found = answer.DurableExecutions ?? [];
    const execution = found.find((one) => one.Status === "RUNNING") ?? found[0];
    if (execution?.Status === undefined) return { state: "absent" };
    if (execution.Status === "RUNNING") return { state: "running" };
    const endedAt = execution.EndTimestamp ?? execution.StartTimestamp ?? new Date();
    return { state: "ended", outcome: execution.Status.toLowerCase(), endedAt };
  };

  #alias(kind: OperationKind): string {
    const arn = this.#settings.workflows[kind];
    if (arn === undefined) throw new Error(`the environment names no function for ${kind}`);
    return arn;
  }
}

/** `arn:aws:lambda:<region>:<account>:function:<name>:<alias>` */
function splitAlias(arn: string): { functionName: string; qualifier: string } {
  const at = arn.lastIndexOf(":");
  return { functionName: arn.slice(0, at), qualifier: arn.slice(at + 1) };
}
