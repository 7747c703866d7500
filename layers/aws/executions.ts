import {
  type Execution,
  InvokeCommand,
  LambdaClient,
  type LambdaClientConfig,
  paginateListDurableExecutionsByFunction,
  StopDurableExecutionCommand,
} from "@aws-sdk/client-lambda";
import { executionName } from "../domain/cluster/names.ts";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { OperationKind } from "../domain/operation/operation.ts";
import { traceVariable } from "../domain/trace.ts";
import type { Executions } from "../ports/executions.ts";
import { clientBehaviour } from "./clients.ts";
import { isAwsError } from "./errors.ts";
import { onAllPages } from "./pages.ts";

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
    const trace = process.env[traceVariable];
    try {
      await this.#client.send(
        new InvokeCommand({
          FunctionName: this.#alias(kind),
          InvocationType: "Event",
          DurableExecutionName: name,
          Payload: new TextEncoder().encode(
            JSON.stringify(trace === undefined ? input : { ...input, trace }),
          ),
        }),
      );
    } catch (error) {
      if (!isAwsError(error, ["DurableExecutionAlreadyStartedException"])) throw error;
    }
  };

  /** Over all versions: an execution stays on the one that it began with, and the alias moves on. */
  find: Executions["find"] = async (kind, operationId, attempt) => {
    const name = executionName(operationId, attempt);
    const found = await this.#named(functionOf(this.#alias(kind)), name);
    const execution = found.find((one) => one.Status === "RUNNING") ?? found[0];
    if (execution?.Status === undefined) return { state: "absent" };
    const startedAt = execution.StartTimestamp ?? new Date();
    if (execution.Status === "RUNNING") return { state: "running", startedAt };
    const endedAt = execution.EndTimestamp ?? startedAt;
    return { state: "ended", outcome: execution.Status.toLowerCase(), endedAt };
  };

  stop: Executions["stop"] = async (kind, operationId, attempt) => {
    const name = executionName(operationId, attempt);
    const found = await this.#named(functionOf(this.#alias(kind)), name);
    const arn = found.find((one) => one.Status === "RUNNING")?.DurableExecutionArn;
    if (arn === undefined) return;
    await this.#client.send(new StopDurableExecutionCommand({ DurableExecutionArn: arn }));
  };

  /** The filter may let through names that only begin alike, and a page may be empty though others follow. */
  #named(functionName: string, name: string): Promise<Execution[]> {
    const query = { FunctionName: functionName, DurableExecutionName: name };
    const pages = paginateListDurableExecutionsByFunction({ client: this.#client }, query);
    return onAllPages(pages, ({ DurableExecutions }) =>
      DurableExecutions?.filter((one) => one.DurableExecutionName === name),
    );
  }

  #alias(kind: OperationKind): string {
    const arn = this.#settings.workflows[kind];
    if (arn === undefined) throw new Error(`the environment names no function for ${kind}`);
    return arn;
  }
}

/** `arn:aws:lambda:<region>:<account>:function:<name>:<alias>` without the alias. */
const functionOf = (aliasArn: string): string => aliasArn.slice(0, aliasArn.lastIndexOf(":"));
