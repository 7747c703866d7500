import { z } from "zod";
import { operationIdSchema } from "../ids.ts";

/** What came of reading everything that is stored of a cluster, and comparing it with its checksums. */
export const verificationSchema = z.object({
  /** When it began. */
  at: z.iso.datetime(),
  ok: z.boolean(),
  operationId: operationIdSchema,
  /** Backups and WAL segments that were read; null: it did not come to an end. */
  backups: z.int().min(0).nullable(),
  walSegments: z.int().min(0).nullable(),
  /** Why it failed, or what was found. */
  message: z.string().nullable(),
});
export type Verification = z.infer<typeof verificationSchema>;

/** How far the reading has come, in `Operation.result`. */
export const verificationCourseSchema = z.object({
  /** Who was told last; null: nobody is at it. */
  nodeId: z.string().nullable().default(null),
  beginnings: z.int().default(0),
  found: z
    .object({ ok: z.boolean(), backups: z.int().min(0), walSegments: z.int().min(0) })
    .nullable()
    .default(null),
  /** Of what was found, or of a try that came to nothing. */
  message: z.string().nullable().default(null),
});
export type VerificationCourse = z.infer<typeof verificationCourseSchema>;
