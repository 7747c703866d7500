import { z } from "zod";
import type { Circumstances, Question } from "../../permissions/use.ts";
import { ServiceError, serviceError } from "../service.ts";

const texts = z.union([z.string().transform((text) => [text]), z.array(z.string())]);
const operators = ["StringEquals", "StringLike", "StringLikeIfExists"] as const;
const conditionSchema = z.strictObject({
  StringEquals: z.record(z.string(), texts).optional(),
  StringLike: z.record(z.string(), texts).optional(),
  StringLikeIfExists: z.record(z.string(), texts).optional(),
});
type Condition = z.infer<typeof conditionSchema>;

/**
 * What roles of nodes say: statements that allow. Whatever else IAM knows is refused here when it is put, so that
 * nothing is taken for less, or more, than it means.
 */
const policySchema = z.strictObject({
  Version: z.literal("2012-10-17"),
  Statement: z.array(
    z.strictObject({
      Effect: z.literal("Allow"),
      Action: texts,
      Resource: texts,
      Condition: conditionSchema.optional(),
    }),
  ),
});
export type Policy = z.infer<typeof policySchema>;

/** @throws {ServiceError} as IAM refuses a policy that is none. */
export function readPolicy(document: string): Policy {
  try {
    return policySchema.parse(JSON.parse(document));
  } catch (cause) {
    const message = "The policy has syntax errors, or says what this environment does not know.";
    throw serviceError({ code: "MalformedPolicyDocument", message, cause });
  }
}

/** IAM's limit for all inline policies of a role, without white space. */
const policyCharactersMax = 10_240;

/** @throws {ServiceError} as IAM refuses one that is too long. */
export function checkLength(documents: readonly string[]): void {
  const characters = documents.reduce((sum, text) => sum + text.replace(/\s/g, "").length, 0);
  if (characters <= policyCharactersMax) return;
  throw new ServiceError(
    "LimitExceeded",
    `Maximum policy size of ${policyCharactersMax} bytes exceeded for the role`,
    409,
  );
}

/** Whether one of the statements says yes to the question. Nothing here says no: silence does. */
export function allows({ Statement }: Policy, { action, circumstances, resource }: Question): boolean {
  return Statement.some(
    (statement) =>
      statement.Action.some((pattern) => isLike(action.toLowerCase(), pattern.toLowerCase())) &&
      statement.Resource.some((pattern) => isLike(resource, pattern)) &&
      holds(statement.Condition ?? {}, circumstances),
  );
}

function holds(condition: Condition, circumstances: Circumstances): boolean {
  return operators.every((operator) =>
    Object.entries(condition[operator] ?? {}).every(([key, wanted]) => {
      const value = circumstances[key];
      if (value === undefined) return operator === "StringLikeIfExists";
      return wanted.some((text) => (operator === "StringEquals" ? value === text : isLike(value, text)));
    }),
  );
}

/** `*` stands for any characters and `?` for one, as everywhere in IAM. */
function isLike(text: string, pattern: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${expression}$`, "s").test(text);
}
