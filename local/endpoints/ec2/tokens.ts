import { createHash } from "node:crypto";
import { ServiceError } from "../service.ts";
import { type Input, text } from "./input.ts";
import type { Ec2State } from "./state.ts";

/** EC2's limit. */
const tokenCharactersMax = 64;
/** EC2 remembers a token for a day at least; an operation that is retried later than that has ended long since. */
const rememberedMs = 48 * 3600 * 1000;

export interface Made {
  readonly resourceId: string;
  readonly answer: Record<string, unknown>;
}

/**
 * Does `work` once per client token of an action: a repetition gets the first answer again (the resource as it is
 * now where it still exists), other parameters under the same token are refused.
 * `work` must write everything synchronously: it and the token are one transaction.
 */
export function once(
  state: Ec2State,
  context: { action: string; input: Input; now: Date },
  work: () => Made,
  current: (resourceId: string) => Record<string, unknown> | undefined,
): { answer: Record<string, unknown>; fresh: boolean } {
  const token = text(context.input, "ClientToken");
  if (token === null) return { answer: state.documents.transaction(work).answer, fresh: true };
  if (token.length > tokenCharactersMax || !/^[\x21-\x7e]+$/.test(token)) {
    throw new ServiceError("InvalidParameterValue", `The client token '${token}' is not valid`);
  }
  const key = `${context.action}/${token}`;
  const fingerprint = fingerprintOf(context.input);
  const known = state.tokens.get(key);
  if (known !== undefined && context.now.getTime() - Date.parse(known.createdAt) < rememberedMs) {
    if (known.fingerprint !== fingerprint) {
      throw new ServiceError(
        "IdempotentParameterMismatch",
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
      );
    }
    return { answer: current(known.resourceId) ?? known.answer, fresh: false };
  }
  const made = state.documents.transaction(() => {
    const result = work();
    state.tokens.put(key, { ...result, fingerprint, createdAt: context.now.toISOString() });
    return result;
  });
  return { answer: made.answer, fresh: true };
}

function fingerprintOf(input: Input): string {
  return createHash("sha256").update(canonical(input)).digest("hex");
}

/** The same text for the same parameters in whatever order they came. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
