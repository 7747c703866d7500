import { parseTrace } from "../domain/trace.ts";

/** Lambda's variable: the trace of the one invocation that this process carries out. */
const variable = "_X_AMZN_TRACE_ID";

/** The id of the trace that what happens now belongs to. */
export const currentTraceId = (): string | null => parseTrace(process.env[variable])?.id ?? null;

/** From now until the end of the invocation everything belongs to that trace; Lambda names the next invocation's. */
export function continueTrace(header: string): void {
  process.env[variable] = header;
}
