import { spawn } from "node:child_process";
import { NodeFailure } from "./failure.ts";

/** Nothing that we run says more than a few lines; what is beyond this is dropped. */
const outputBytesMax = 256 * 1024;
/** As much of a program's complaint as a person wants to read. */
const complaintCharactersMax = 2000;
const timeoutDefaultMs = 30_000;

export interface RunOptions {
  readonly stdin?: string;
  readonly timeoutMs?: number;
  /** Replaces the environment but for PATH. Never a secret. */
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are answers and not failures. */
  readonly answers?: readonly number[];
}

/** For programs whose exit code is about what they have found, and whose words say more than it does. */
export const anyExitCode: readonly number[] = Array.from({ length: 255 }, (_, index) => index + 1);

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

class BoundedText {
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  add(part: Buffer): void {
    const room = outputBytesMax - this.#bytes;
    if (room <= 0) return;
    this.#parts.push(part.subarray(0, room));
    this.#bytes += Math.min(room, part.length);
  }

  toString(): string {
    return Buffer.concat(this.#parts).toString("utf8");
  }
}

function execute(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      timeout: Math.max(1, Math.round(options.timeoutMs ?? timeoutDefaultMs)),
      killSignal: "SIGKILL",
      env: {
        PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin",
        LC_ALL: "C.UTF-8",
        ...options.env,
      },
    });
    const stdout = new BoundedText();
    const stderr = new BoundedText();
    child.stdout.on("data", (part: Buffer) => stdout.add(part));
    child.stderr.on("data", (part: Buffer) => stderr.add(part));
    // A program that ends without reading its input is judged by its exit status.
    child.stdin.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") reject(error);
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === null) stderr.add(Buffer.from(`ended by ${signal ?? "a signal"}`));
      resolve({ code: code ?? -1, stdout: stdout.toString(), stderr: stderr.toString() });
    });
    child.stdin.end(options.stdin ?? "");
  });
}

/** Runs a program without a shell. @throws {NodeFailure} `program-failed` with what it said. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  let result: RunResult;
  try {
    result = await execute(program, args, options);
  } catch (error) {
    throw new NodeFailure(`${program} could not be run`, { code: "program-failed", cause: error });
  }
  if (result.code !== 0 && !(options.answers ?? []).includes(result.code)) {
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-complaintCharactersMax);
    throw new NodeFailure(`${program} ${args[0] ?? ""} failed (${result.code}): ${said}`, {
      code: "program-failed",
    });
  }
  return result;
}

/** Runs a program as another user, without PAM, a session or a shell. */
export function runAs(
  user: string,
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const identity = [`--reuid=${user}`, `--regid=${user}`, "--init-groups", "--inh-caps=-all"];
  return run("setpriv", [...identity, program, ...args], options);
}
