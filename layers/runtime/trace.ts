import { parseTrace, traceVariable } from "../domain/trace.ts";

/** The id of the trace that what happens now belongs to. */
export const currentTraceId = (): string | null => parseTrace(process.env[traceVariable])?.id ?? null;

/** From now until the end of the invocation everything belongs to that trace; Lambda names the next invocation's. */
export function continueTrace(header: string): void {
  process.env[traceVariable] = header;
}
