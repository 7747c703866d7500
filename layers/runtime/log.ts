import { currentTraceId } from "./trace.ts";

export type LogLevel = "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

/** One line of JSON. Callers choose the fields: nothing that came from a body or a header other than ids. */
export const log: Log = (level, message, fields = {}) => {
  const traceId = currentTraceId();
  const line = {
    time: new Date().toISOString(),
    level,
    message,
    ...(traceId === null ? {} : { traceId }),
    ...fields,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

/** How deep chains of causes are written out; a longer one is a loop. */
const causesMax = 8;

/** An error with its causes, as fields of a log line. */
export function errorFields(error: unknown, depth = 0): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const hasCause = error.cause !== undefined && depth < causesMax;
  return {
    error: error.name,
    errorMessage: error.message,
    stack: error.stack,
    ...(hasCause ? { cause: errorFields(error.cause, depth + 1) } : {}),
  };
}
