import type { z } from "zod";

const names = new WeakMap<z.ZodType, string>();

/** The schema with a name of its own in the document. */
export function named<T extends z.ZodType>(name: string, schema: T): T {
  const own = schema.clone();
  names.set(own, name);
  return own;
}

export const nameOf = (schema: z.ZodType): string | undefined => names.get(schema);
