import { ProgramError } from "../machines/program.ts";

/** What commands print: progress to people, answers to scripts. */

/** A failure that the reader can do something about: printed as it is, without a stack. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** What we throw says what is wrong and what to do; anything else is a defect, and its stack finds it. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof UserError) return error.message;
  const ours = Object.getPrototypeOf(error) === Error.prototype && !("code" in error);
  const expected = ours || error instanceof ProgramError;
  return expected ? error.message : (error.stack ?? error.message);
}

// A reader that has seen enough (`… | head`) must not end what the command is at.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const startedAt = performance.now();

/** One line of progress with the seconds since the command began. */
export function progress(line: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${line}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
