import { z } from "zod";
import { Problem, type ProblemCode } from "../../domain/problems.ts";
import type { IdempotencyRecord } from "../../ports/store.ts";
import type { AnswerSchema } from "./answer-schema.ts";
import type { Caller, Role } from "./caller.ts";
import { fieldErrors, jsonPointer } from "./field-errors.ts";

/** What a handler says; plumbing turns it into bytes once, so that a repeated call gets the same bytes. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: `application/json`. A string with a type of its own is sent as it is, everything else as JSON. */
  readonly contentType?: string;
}

export interface ResponseDefinition {
  readonly description: string;
  readonly schema?: AnswerSchema;
  readonly contentType?: string;
  /** Header name → what it says. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One route, with everything that its documentation says. */
export interface RouteDefinition<
  P extends z.ZodObject = z.ZodObject,
  Q extends z.ZodObject = z.ZodObject,
  B extends z.ZodType = z.ZodType,
> {
  readonly method: "get" | "post" | "patch" | "delete";
  /** OpenAPI's notation: `/v1/clusters/{clusterId}`. */
  readonly path: string;
  readonly operationId: string;
  readonly tag: string;
  readonly summary: string;
  readonly description: string;
  /** Least role that may call; null: anyone, also without credentials. */
  readonly role: Role | null;
  /** Takes an `Idempotency-Key`. */
  readonly isMutation: boolean;
  /** Takes an `If-Match`. */
  readonly isConditional?: boolean;
  readonly params: P;
  readonly query: Q;
  /** {@link noBody} where there is none. */
  readonly body: B;
  /** What the body may be sent as, for the documentation; `application/json` where this is absent. */
  readonly bodyTypes?: readonly string[];
  /** A body for the documentation. */
  readonly example?: unknown;
  readonly responses: Readonly<Record<number, ResponseDefinition>>;
  /** Beside those that every route has. */
  readonly problems: readonly ProblemCode[];
}

export interface Call<P = unknown, Q = unknown, B = unknown> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly caller: Caller & { readonly role: Role };
  readonly requestId: string;
  readonly ifMatch: string | undefined;
  /** The record to write together with the mutation; null where the caller sent no `Idempotency-Key`. */
  readonly remember: (answer: Answer) => IdempotencyRecord | null;
}

export interface Route {
  readonly definition: RouteDefinition;
  readonly handle: (input: RawInput, call: Omit<Call, "params" | "query" | "body">) => Promise<Answer>;
}

export interface RawInput {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, readonly string[]>>;
  readonly body: unknown;
}

export const noParams = z.object({});
export const noQuery = z.strictObject({});
/** Many clients send `{}` with a POST that needs no body. */
export const noBody = z.strictObject({}).optional();

export function defineRoute<
  P extends z.ZodObject,
  Q extends z.ZodObject,
  B extends z.ZodType = z.ZodUndefined,
>(
  definition: RouteDefinition<P, Q, B>,
  handler: (call: Call<z.infer<P>, z.infer<Q>, z.infer<B>>) => Promise<Answer>,
): Route {
  return {
    definition,
    handle: async (input, call) => handler({ ...call, ...parseInput(definition, input) }),
  };
}

/** Every mistake of the query and the body at once. */
function parseInput<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(
  definition: RouteDefinition<P, Q, B>,
  input: RawInput,
): { params: z.infer<P>; query: z.infer<Q>; body: z.infer<B> } {
  const params = definition.params.safeParse(input.params);
  if (!params.success) {
    const [id] = Object.values(input.params);
    throw new Problem("not-found", `There is nothing with the id ${JSON.stringify(id?.slice(0, 64))}.`);
  }
  const single = singleValues(input.query);
  const query = definition.query.safeParse(single.values);
  const body = definition.body.safeParse(input.body);
  const errors = [
    ...single.errors,
    ...(query.success ? [] : fieldErrors(query.error, definition.query, single.values, parameterName)),
    ...(body.success ? [] : fieldErrors(body.error, definition.body, input.body, jsonPointer)),
  ];
  if (errors.length > 0 || !query.success || !body.success) {
    const count = errors.length === 1 ? "One field is" : `${errors.length} fields are`;
    throw new Problem("invalid-request", `${count} not valid; errors says which and why.`, { errors });
  }
  return { params: params.data, query: query.data, body: body.data };
}

const parameterName = (path: readonly PropertyKey[]): string => String(path[0] ?? "");

function singleValues(query: RawInput["query"]) {
  const values: Record<string, string> = {};
  const errors: { path: string; message: string }[] = [];
  for (const [name, given] of Object.entries(query)) {
    if (given.length > 1) errors.push({ path: name, message: "must be given once" });
    values[name] = given[0] ?? "";
  }
  return { values, errors };
}
