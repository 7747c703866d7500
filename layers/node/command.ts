import { nodePaths } from "../domain/config/paths.ts";
import type { NodeAnswer } from "../domain/node/protocol.ts";
import type { NodeContext } from "./context.ts";
import { NodeFailure } from "./failure.ts";
import { FinishedCommands } from "./memory.ts";
import { answer, readInput } from "./program.ts";

/** One verb: JSON on standard input, one line of JSON on standard output, exit status 0 when it is `ok`. */
export async function answerCommand(context: NodeContext): Promise<NodeAnswer> {
  try {
    const invocation = {
      verb: process.argv[2],
      input: await readInput(process.stdin),
      operationId: process.env["SSM_Operation"],
      step: process.env["SSM_Step"],
    };
    const memory = new FinishedCommands(nodePaths.finished);
    return { ok: true, output: await answer(invocation, context, memory) };
  } catch (error) {
    return { ok: false, error: describe(error) };
  }
}

function describe(error: unknown): { code: string; message: string } {
  const messages: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) messages.push(cause.message);
  const message = messages.join(": ") || String(error);
  return { code: error instanceof NodeFailure ? error.code : "internal", message };
}
