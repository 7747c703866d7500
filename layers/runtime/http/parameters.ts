import { z } from "zod";

/** More per page would make an answer slow to build and to read. */
const pageLimitMax = 100;
const pageLimitDefault = 20;
/** Far above what the store hands out. */
const cursorCharactersMax = 512;

const limitMessage = `must be a whole number from 1 to ${pageLimitMax}`;

export const pageQuery = {
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, limitMessage)
    .transform(Number)
    .refine((limit) => limit <= pageLimitMax, limitMessage)
    .default(pageLimitDefault)
    .meta({
      description: "How many items a page has at most.",
      type: "integer",
      minimum: 1,
      maximum: pageLimitMax,
      default: pageLimitDefault,
      pattern: undefined,
    }),
  cursor: z
    .string()
    .max(cursorCharactersMax)
    .regex(/^[\w-]+$/, "must be the nextCursor of a page of the same list")
    .optional()
    .meta({ description: "`nextCursor` of the page before. Only the list that handed it out takes it." }),
};

/** A query parameter that is `true` or `false`, and `false` where it is absent. */
export const flagQuery = (description: string) =>
  z
    .enum(["true", "false"])
    .transform((value) => value === "true")
    .default(false)
    .meta({ description, type: "boolean", enum: undefined, default: false });

export const dryRunQuery = {
  dryRun: flagQuery(
    "`true`: everything is checked, nothing is written or started, and the answer says what would happen.",
  ),
};
