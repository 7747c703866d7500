import { spawn } from "node:child_process";
import type { CommandResult } from "./driver.ts";

export interface EnteredCommand {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly timeoutSeconds: number;
  readonly outputBytesMax: number;
}

const baseEnvironment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
};
/** A shell says so that a program was ended by this signal. */
const killedExitCode = 128 + 9;

/**
 * Runs a program in all namespaces of a machine's process 1. A program that is late is killed together with what
 * it started; the exit code then is that of a kill.
 */
export function enterMachine(leader: number, command: EnteredCommand): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    // A process group of its own: the program inside is in it too, whatever its number there.
    const child = spawn("nsenter", [`--target=${leader}`, "--all", "--", ...command.argv], {
      detached: true,
      env: { ...baseEnvironment, ...command.environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const stdout = new BoundedOutput(command.outputBytesMax);
    const stderr = new BoundedOutput(command.outputBytesMax);
    child.stdout.on("data", (chunk: Buffer) => stdout.add(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.add(chunk));
    const timer = setTimeout(() => {
      if (child.pid !== undefined) killGroup(child.pid);
      // What left the group may hold the pipes open for ever; the answer does not wait for it.
      child.stdout.destroy();
      child.stderr.destroy();
    }, command.timeoutSeconds * 1000);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(new Error("The machine could not be entered.", { cause: error }));
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ exitCode: code ?? killedExitCode, stdout: stdout.text(), stderr: stderr.text() });
    });
    // A program that ends before it has read its input is judged by its exit code.
    child.stdin.on("error", () => undefined);
    child.stdin.end(command.stdin ?? "");
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Keeps the beginning; the rest is read, so that the program is not held up, and dropped. */
class BoundedOutput {
  readonly #max: number;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(chunk: Buffer): void {
    const kept = chunk.subarray(0, Math.max(0, this.#max - this.#length));
    if (kept.length > 0) this.#chunks.push(kept);
    this.#length += kept.length;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
