import { setTimeout as sleep } from "node:timers/promises";
import {
  type AliasConfiguration,
  DeleteFunctionCommand,
  type Execution,
  LambdaClient,
  type LambdaClientConfig,
  ListAliasesCommand,
  ListDurableExecutionsByFunctionCommand,
  ListVersionsByFunctionCommand,
} from "@aws-sdk/client-lambda";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { OperationKind } from "../domain/operation/operation.ts";
import type { Versions } from "../ports/versions.ts";
import { clientBehaviour } from "./clients.ts";
import { isAwsError } from "./errors.ts";

/** Half of what Lambda lets an account ask in a second about all of its functions: deployments ask meanwhile. */
const callsPerSecondMax = 7;

const numeral = /^\d+$/;

interface Page<T> {
  readonly items: readonly T[] | undefined;
  readonly next: string | undefined;
}

/** Versions on Lambda, of the functions whose aliases the environment names. */
export class LambdaVersions implements Versions {
  readonly #client: LambdaClient;
  readonly #settings: EnvironmentSettings;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(settings: EnvironmentSettings, config: LambdaClientConfig = {}) {
    this.#client = new LambdaClient({ ...clientBehaviour, ...config });
    this.#settings = settings;
  }

  /** Aliases last: where one has moved on meanwhile, it leads to a version that is not listed, and nothing is retired. */
  list: Versions["list"] = async (kind) => {
    const { alias, functionName: FunctionName } = this.#place(kind);
    const versions = await this.#all(async (Marker) => {
      const answer = await this.#client.send(new ListVersionsByFunctionCommand({ FunctionName, Marker }));
      return { items: answer.Versions, next: answer.NextMarker };
    });
    const aliases = await this.#all(async (Marker) => {
      const answer = await this.#client.send(new ListAliasesCommand({ FunctionName, Marker }));
      return { items: answer.Aliases, next: answer.NextMarker };
    });
    return {
      published: versions.flatMap(({ LastModified, Version: version = "" }) =>
        numeral.test(version) ? [{ version: Number(version), publishedMs: timeOrNull(LastModified) }] : [],
      ),
      live: numberOrNull(aliases.find(({ Name }) => Name === alias)?.FunctionVersion),
      aliased: aliases.flatMap(versionsOf),
    };
  };

  /** Over all versions in one call: to ask about one by its qualifier would take a right to each of them. */
  running: Versions["running"] = async (kind) => {
    const { functionName: FunctionName } = this.#place(kind);
    const executions = await this.#all<Execution>(async (Marker) => {
      const question = { FunctionName, Statuses: ["RUNNING" as const], Marker };
      const answer = await this.#client.send(new ListDurableExecutionsByFunctionCommand(question));
      return { items: answer.DurableExecutions, next: answer.NextMarker };
    });
    return [...new Set(executions.flatMap(versionOf))];
  };

  remove: Versions["remove"] = async (kind, version) => {
    const { functionName: FunctionName } = this.#place(kind);
    await this.#turn();
    try {
      await this.#client.send(new DeleteFunctionCommand({ FunctionName, Qualifier: String(version) }));
      return true;
    } catch (error) {
      if (isAwsError(error, ["ResourceNotFoundException"])) return true;
      if (isAwsError(error, ["ResourceConflictException"])) return false;
      throw error;
    }
  };

  /** A page may be empty though others follow. */
  async #all<T>(page: (marker: string | undefined) => Promise<Page<T>>): Promise<T[]> {
    const found: T[] = [];
    let marker: string | undefined;
    do {
      await this.#turn();
      const { items, next } = await page(marker);
      found.push(...(items ?? []));
      marker = next === "" ? undefined : next;
    } while (marker !== undefined);
    return found;
  }

  async #turn(): Promise<void> {
    const earlyMs = this.#askedMs + 1000 / callsPerSecondMax - performance.now();
    if (earlyMs > 0) await sleep(earlyMs);
    this.#askedMs = performance.now();
  }

  /** `arn:aws:lambda:<region>:<account>:function:<name>:<alias>` */
  #place(kind: OperationKind): { readonly functionName: string; readonly alias: string } {
    const [functionName, alias] = this.#settings.workflows[kind]?.split(":").slice(-2) ?? [];
    if (functionName === undefined || alias === undefined) {
      throw new Error(`the environment names no function for ${kind}`);
    }
    return { functionName, alias };
  }
}

const numberOrNull = (version = ""): number | null => (numeral.test(version) ? Number(version) : null);

function timeOrNull(text = ""): number | null {
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? null : timeMs;
}

/** An alias may share calls out between two. */
function versionsOf({ FunctionVersion, RoutingConfig }: AliasConfiguration): number[] {
  const names = [FunctionVersion ?? "", ...Object.keys(RoutingConfig?.AdditionalVersionWeights ?? {})];
  return names.filter((name) => numeral.test(name)).map(Number);
}

/** `arn:aws:lambda:<region>:<account>:function:<name>:<version>/durable-execution/<name>/<id>` */
function versionOf({ DurableExecutionArn: arn }: Execution): number[] {
  const version = /:function:[^:/]+:(\d+|\$LATEST)\/durable-execution\//.exec(arn ?? "")?.[1];
  if (version === undefined) throw new Error(`the execution ${arn} does not say which version it runs on`);
  return version === "$LATEST" ? [] : [Number(version)];
}
