import { type ExecFileException, execFile } from "node:child_process";

/** Programs that set up or tear down something answer within moments; one that does not is stuck. */
const timeoutMsDefault = 30_000;
/** The longest answers are lists of links or loop devices. */
const outputBytesMax = 4 * 1024 * 1024;
/** What of a program's complaint is worth repeating. */
const complaintCharactersMax = 2_000;

/** A program of the host that did not do what it was asked. */
export class ProgramError extends Error {
  readonly program: string;
  readonly stderr: string;

  constructor(program: string, reason: string, stderr: string, options: { cause: unknown }) {
    const complaint = stderr.trim().slice(-complaintCharactersMax);
    super(`${program} ${reason}${complaint === "" ? "" : `: ${complaint}`}`, options);
    this.name = "ProgramError";
    this.program = program;
    this.stderr = stderr;
  }
}

export interface ProgramOptions {
  readonly stdin?: string;
  readonly timeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Runs a program of the host and returns what it printed.
 * @throws {ProgramError} when it cannot be started, fails or does not end in time.
 */
export function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const timeoutMs = options.timeoutMs ?? timeoutMsDefault;
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      {
        timeout: timeoutMs,
        killSignal: "SIGKILL",
        maxBuffer: outputBytesMax,
        env: { ...process.env, LC_ALL: "C.UTF-8", ...options.environment },
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new ProgramError(program, reasonOf(error, timeoutMs), stderr, { cause: error }));
      },
    );
    // A program that ends before it has read its input is judged by its exit status.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.stdin ?? "");
  });
}

function reasonOf(error: ExecFileException, timeoutMs: number): string {
  if (error.code === "ENOENT") return "is not installed on this machine";
  if (error.killed === true) return `did not end within ${timeoutMs / 1000} s`;
  return typeof error.code === "number" ? `ended with status ${error.code}` : `failed (${error.message})`;
}

/** True when the program ended with status 0. Only for questions whose "no" needs no explanation. */
export async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await runProgram(program, args);
    return true;
  } catch (error) {
    if (error instanceof ProgramError) return false;
    throw error;
  }
}
