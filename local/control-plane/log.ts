import type { LogFile } from "../state/log-file.ts";

/** Lines of the control plane: one JSON object each, time first. */
export class Log {
  readonly #file: LogFile;

  constructor(file: LogFile) {
    this.#file = file;
  }

  line(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#file.append(`${JSON.stringify({ at: new Date().toISOString(), message, ...fields })}\n`);
  }

  /** For errors that are nobody's answer. */
  readonly error = (error: unknown): void => {
    this.line("error", { error: error instanceof Error ? describe(error) : String(error) });
  };
}

function describe(error: Error): string {
  const cause = error.cause instanceof Error ? ` ← ${describe(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}
