import type { z } from "@hono/zod-openapi";

/** What an answer looks like, made when the document is: no request is checked against it. */
export type AnswerSchema<T extends z.ZodType = z.ZodType> = () => T;

/**
 * One with a name of its own in the document, which others may be made of.
 * The package that writes the document adds `openapi` to the schemas that are made once it is loaded.
 */
export function answerSchema<T extends z.ZodType>(name: string, make: () => T): AnswerSchema<T> {
  let made: T | undefined;
  return () => {
    made ??= make().clone().openapi(name);
    return made;
  };
}
