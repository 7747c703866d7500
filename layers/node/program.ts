import { text } from "node:stream/consumers";
import { momentaryVerbs } from "../domain/node/momentary.ts";
import { type NodeVerb, nodeVerbs } from "../domain/node/protocol.ts";
import type { NodeContext, VerbFunction } from "./context.ts";
import { NodeFailure } from "./failure.ts";
import { withLock } from "./lock.ts";
import type { CommandKey, FinishedCommands } from "./memory.ts";
import { applyDatabase } from "./verbs/apply-database.ts";
import { awaitMembers } from "./verbs/await-members.ts";
import { backup } from "./verbs/backup.ts";
import { configure } from "./verbs/configure.ts";
import { drill } from "./verbs/drill.ts";
import { inPlace } from "./verbs/in-place.ts";
import { inspect } from "./verbs/inspect.ts";
import { logical } from "./verbs/logical.ts";
import { maintenance } from "./verbs/maintenance.ts";
import { membership } from "./verbs/membership.ts";
import { observe } from "./verbs/observe.ts";
import { prepare } from "./verbs/prepare.ts";
import { roleChange } from "./verbs/role-change.ts";
import { verify } from "./verbs/verify.ts";

const verbs: { readonly [V in NodeVerb]: VerbFunction<V> } = {
  prepare,
  configure,
  "await-members": awaitMembers,
  "apply-database": applyDatabase,
  verify,
  observe,
  ...roleChange,
  ...membership,
  ...maintenance,
  ...inspect,
  ...backup,
  ...logical,
  ...drill,
  ...inPlace,
};

/** The longest verb waits 600 s for members (see the protocol). */
const sameCommandWaitMs = 660_000;

export interface Invocation {
  readonly verb: string | undefined;
  readonly input: string;
  readonly operationId: string | undefined;
  readonly step: string | undefined;
}

function verbOf(name: string | undefined): NodeVerb {
  const verb = Object.keys(nodeVerbs).find((known): known is NodeVerb => known === name);
  if (verb === undefined)
    throw new NodeFailure(`there is no verb ${name ?? "(none given)"}`, { code: "unknown-verb" });
  return verb;
}

async function perform<V extends NodeVerb>(verb: V, text: string, context: NodeContext): Promise<unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new NodeFailure("the input is not JSON", { code: "invalid-input", cause: error });
  }
  const checked = nodeVerbs[verb].input.safeParse(json);
  if (!checked.success) {
    const issues = checked.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new NodeFailure(issues.join("; "), { code: "invalid-input" });
  }
  // The schema of this verb has just made it the input of this verb.
  const run: VerbFunction<V> = verbs[verb];
  const output = await run(checked.data as Parameters<VerbFunction<V>>[0], context);
  return nodeVerbs[verb].output.parse(output);
}

/** Runs one command; the same command of the same operation again gets the answer of the first time. */
export async function answer(
  invocation: Invocation,
  context: NodeContext,
  memory: FinishedCommands,
): Promise<unknown> {
  const verb = verbOf(invocation.verb);
  const { input, operationId, step } = invocation;
  if (operationId === undefined || step === undefined || momentaryVerbs.includes(verb)) {
    return perform(verb, input, context);
  }
  const key: CommandKey = { operationId, step, verb, input };
  return withLock(JSON.stringify(key), sameCommandWaitMs, async () => {
    const known = await memory.recall(key);
    if (known !== null) return known.output;
    const output = await perform(verb, input, context);
    await memory.remember(key, output);
    return output;
  });
}

export function readInput(stream: NodeJS.ReadableStream): Promise<string> {
  return text(stream);
}
