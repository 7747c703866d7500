import { join } from "node:path";
import type { Identities } from "../endpoints/identities.ts";
import type { CallListener } from "../permissions/watch.ts";
import { LogFile } from "../state/log-file.ts";
import type { FunctionConfiguration } from "./functions.ts";
import { FunctionPool } from "./pool.ts";
import type { TableUse } from "./runtime/messages.ts";
import type { Traces } from "./traces.ts";

export interface HostOptions {
  readonly identities: Identities;
  readonly region: string;
  readonly account: string;
  /** The Node.js binary that functions run on. */
  readonly node: string;
  /** Folder with the `node_modules` that stands for what Lambda's runtime brings along (the AWS SDK). */
  readonly runtimeModules: string;
  readonly logDirectory: string;
  readonly traces: Traces;
  /** Where the environment is and whom it trusts: `AWS_ENDPOINT_URL…`; asked for at every process start. */
  readonly endpointEnvironment: () => Readonly<Record<string, string>>;
  /** Hears how functions use tables. */
  readonly onCall?: CallListener;
}

/** Longer than a function's process lives. */
const credentialSeconds = 12 * 60 * 60;

/** Runs the functions: a pool of processes per function version. */
export class FunctionHost {
  readonly #options: HostOptions;
  readonly #pools = new Map<string, { pool: FunctionPool; configuration: FunctionConfiguration }>();
  readonly #logs = new Map<string, LogFile>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  arnOf(functionName: string, qualifier?: string): string {
    const arn = `arn:aws:lambda:${this.#options.region}:${this.#options.account}:function:${functionName}`;
    return qualifier === undefined || qualifier === "$LATEST" ? arn : `${arn}:${qualifier}`;
  }

  /**
   * @param trace X-Ray's header of whoever asks
   * @throws {FunctionError} what the function answered.
   */
  async invoke(
    configuration: FunctionConfiguration,
    version: string,
    payload: string,
    trace?: string,
  ): Promise<string> {
    const { functionName } = configuration;
    return this.#options.traces.within(functionName, trace, (header) =>
      this.#poolOf(configuration, version).invoke(payload, header),
    );
  }

  /** Starts the processes that this function keeps. */
  async warmUp(configuration: FunctionConfiguration, version: string): Promise<void> {
    await this.#poolOf(configuration, version).warmUp();
  }

  /** Lets the processes of a version end when they are free. */
  retire(functionName: string, version: string): void {
    const key = `${functionName}:${version}`;
    const entry = this.#pools.get(key);
    this.#pools.delete(key);
    void entry?.pool.retire();
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(({ pool }) => pool.close()));
  }

  #poolOf(configuration: FunctionConfiguration, version: string): FunctionPool {
    const key = `${configuration.functionName}:${version}`;
    const existing = this.#pools.get(key);
    if (existing !== undefined) {
      if (JSON.stringify(existing.configuration) === JSON.stringify(configuration)) return existing.pool;
      this.retire(configuration.functionName, version);
    }
    const pool = new FunctionPool({
      functionName: configuration.functionName,
      functionArn: this.arnOf(configuration.functionName, version),
      timeoutMs: configuration.timeoutSeconds * 1000,
      concurrency: configuration.concurrency,
      warm: configuration.warm,
      startProcess: () => ({
        node: this.#options.node,
        environment: this.#environmentOf(configuration, version),
        memoryMiB: configuration.memoryMiB,
        log: this.#logOf(configuration.functionName),
        onTableUse: (use) => this.#hearOfTable(configuration, use),
      }),
    });
    this.#pools.set(key, { pool, configuration });
    return pool;
  }

  #hearOfTable({ functionName, roleName }: FunctionConfiguration, { action, ...input }: TableUse): void {
    const arn = `arn:aws:sts::${this.#options.account}:assumed-role/${roleName}/${functionName}`;
    const caller = { accessKeyId: "", arn, roleName };
    this.#options.onCall?.({ service: "dynamodb", action, input, caller });
  }

  #logOf(functionName: string): LogFile {
    let log = this.#logs.get(functionName);
    if (log === undefined) {
      log = new LogFile(join(this.#options.logDirectory, `${functionName}.log`));
      this.#logs.set(functionName, log);
    }
    return log;
  }

  /** What Lambda's runtime sets, and the template's variables; nothing of the control plane's own environment. */
  #environmentOf(configuration: FunctionConfiguration, version: string): Record<string, string> {
    const { region, identities, runtimeModules } = this.#options;
    const { functionName } = configuration;
    const credentials = identities.issue({
      roleName: configuration.roleName,
      sessionName: functionName,
      lifetimeSeconds: credentialSeconds,
    });
    return {
      ...configuration.environment,
      ...this.#options.endpointEnvironment(),
      PATH: "/usr/local/bin:/usr/bin:/bin",
      LANG: "en_US.UTF-8",
      TZ: ":UTC",
      _HANDLER: configuration.handler,
      LAMBDA_TASK_ROOT: configuration.codeDirectory,
      AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
      AWS_LAMBDA_FUNCTION_NAME: functionName,
      AWS_LAMBDA_FUNCTION_VERSION: version,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(configuration.memoryMiB),
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${functionName}`,
      AWS_LAMBDA_LOG_STREAM_NAME: `${functionName}.log`,
      AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
      AWS_REGION: region,
      AWS_XRAY_DAEMON_ADDRESS: this.#options.traces.daemonAddress,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken ?? "",
      PGHERD_LAYER_MODULES: configuration.layerDirectories
        .map((directory) => join(directory, "nodejs", "node_modules"))
        .join(":"),
      PGHERD_RUNTIME_MODULES: runtimeModules,
    };
  }
}
