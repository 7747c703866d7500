import { Problem } from "../../domain/problems.ts";

export const tagListPattern = /^\s*(?:\*|(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*)\s*$/;

/** A cluster's ETag is the generation of its spec: a change of status alone does not make a caller decide anew. */
export function entityTag(generation: number): string {
  return `"${generation}"`;
}

/** @throws {Problem} `precondition-failed` when the caller decided by another generation than the present one. */
export function checkIfMatch(ifMatch: string | undefined, generation: number): void {
  if (ifMatch === undefined) return;
  if (!tagListPattern.test(ifMatch)) {
    throw new Problem("invalid-request", "The If-Match header is not valid.", {
      errors: [{ path: "If-Match", message: 'must be the ETag that a GET answered, in its quotes, or "*"' }],
    });
  }
  const tags = ifMatch.split(",").map((tag) => tag.trim());
  if (tags.includes("*") || tags.includes(entityTag(generation))) return;
  throw new Problem(
    "precondition-failed",
    `The cluster is at ${entityTag(generation)}, not at ${ifMatch}: read it again and decide anew.`,
  );
}
