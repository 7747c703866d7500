import type { z } from "@hono/zod-openapi";

/** The schema with a name of its own in the document. The package adds `openapi` to schemas made after its import. */
export function named<T extends z.ZodType>(name: string, schema: T): T {
  return schema.clone().openapi(name);
}
