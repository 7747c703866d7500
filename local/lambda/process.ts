import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { ServiceError } from "../endpoints/service.ts";
import type { LogFile } from "../state/log-file.ts";
import type { FunctionErrorPayload, InvokeMessage, ProcessMessage, TableUse } from "./runtime/messages.ts";

export interface ProcessOptions {
  /** The Node.js binary that functions run on. */
  readonly node: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMiB: number;
  readonly log: LogFile;
  readonly onTableUse: (use: TableUse) => void;
}

/** The function answered with an error, was killed, or could not be loaded. */
export class FunctionError extends Error {
  readonly payload: FunctionErrorPayload;

  constructor(payload: FunctionErrorPayload) {
    super(`${payload.errorType}: ${payload.errorMessage}`);
    this.name = "FunctionError";
    this.payload = payload;
  }
}

interface Pending {
  readonly requestId: string;
  readonly answer: PromiseWithResolvers<string>;
  readonly timer: NodeJS.Timeout;
}

const entry = join(import.meta.dirname, "runtime", "main.ts");
/** Lambda gives a function ten seconds to load. */
const initTimeoutMs = 10_000;
/** Part of a function's memory that its heap may take; buffers and the runtime need the rest. */
const heapShare = 0.9;

/** One execution environment of a function: a process that runs one invocation at a time. */
export class FunctionProcess {
  readonly #child: ChildProcess;
  readonly #onTableUse: (use: TableUse) => void;
  readonly #ready = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  #pending: Pending | null = null;
  #alive = true;
  lastUsedAt = Date.now();

  constructor(options: ProcessOptions) {
    this.#onTableUse = options.onTableUse;
    this.#child = fork(entry, [], {
      execPath: options.node,
      execArgv: [
        "--enable-source-maps",
        "--disable-warning=ExperimentalWarning",
        `--max-old-space-size=${Math.floor(options.memoryMiB * heapShare)}`,
      ],
      env: options.environment,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "json",
    });
    this.#child.stdout?.on("data", (data: Buffer) => options.log.append(data));
    this.#child.stderr?.on("data", (data: Buffer) => options.log.append(data));
    this.#child.on("message", (message: ProcessMessage) => this.#hear(message));
    this.#child.on("error", (error) => this.#die(String(error)));
    this.#child.on("exit", (code, signal) => this.#die(`exit ${code ?? signal}`));
    this.#ready.promise.catch(() => undefined);
    const timer = setTimeout(
      () => this.#fail("Sandbox.Timedout", "the function did not load in time"),
      initTimeoutMs,
    );
    void this.#ready.promise.catch(() => undefined).finally(() => clearTimeout(timer));
  }

  get alive(): boolean {
    return this.#alive;
  }

  get busy(): boolean {
    return this.#pending !== null;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when the handler is loaded. */
  async ready(): Promise<void> {
    await this.#ready.promise;
  }

  /** Runs one invocation. Must not be called while another runs. @throws {FunctionError} */
  async invoke(
    invocation: Omit<InvokeMessage, "type" | "deadline"> & { timeoutMs: number },
  ): Promise<string> {
    if (this.#pending !== null) throw new Error("the process runs another invocation");
    const { timeoutMs, ...message } = invocation;
    const answer = Promise.withResolvers<string>();
    answer.promise.catch(() => undefined);
    const timer = setTimeout(
      () => this.#fail("Sandbox.Timedout", `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`),
      timeoutMs,
    );
    this.#pending = { requestId: message.requestId, answer, timer };
    try {
      await this.#ready.promise;
      if (this.#alive) this.#child.send({ ...message, type: "invoke", deadline: Date.now() + timeoutMs });
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#pending = null;
      this.lastUsedAt = Date.now();
    }
  }

  /** Kills the process and resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#alive) this.#child.kill("SIGKILL");
    await this.#exited.promise;
  }

  #hear(message: ProcessMessage): void {
    switch (message.type) {
      case "ready":
        this.#ready.resolve();
        return;
      case "init-error":
        this.#fail(message.error.errorType, message.error.errorMessage, message.error);
        return;
      case "result":
        if (this.#pending?.requestId === message.requestId) this.#pending.answer.resolve(message.payload);
        return;
      case "error":
        if (this.#pending?.requestId === message.requestId) {
          this.#pending.answer.reject(new FunctionError(message.error));
        }
        return;
      case "table":
        this.#onTableUse(message.use);
    }
  }

  #fail(errorType: string, errorMessage: string, payload?: FunctionErrorPayload): void {
    const error = new FunctionError(payload ?? { errorType, errorMessage });
    this.#ready.reject(error);
    this.#pending?.answer.reject(error);
    this.#alive = false;
    this.#child.kill("SIGKILL");
  }

  #die(reason: string): void {
    this.#alive = false;
    const error = new FunctionError({
      errorType: "Runtime.ExitError",
      errorMessage: `the function's process ended without an answer: ${reason}`,
    });
    this.#ready.reject(error);
    this.#pending?.answer.reject(error);
    this.#exited.resolve();
  }
}

/** Too many invocations of a function wait already. */
export function tooManyRequests(functionName: string): ServiceError {
  return new ServiceError("TooManyRequestsException", `Rate Exceeded for ${functionName}.`, 429);
}
