import { z } from "zod";
import { nodeIdSchema, operationIdSchema } from "../ids.ts";
import { ancestorSchema, type Branch, leftSchema } from "./branches.ts";

/** As long as a team needs to find out whether it was the right thing to do. */
export const keptHours = 24;

/** The data that was in service before a restore in place: it can be gone back to as long as it is there. */
export const keptSchema = z.object({
  /** The restore. */
  operationId: operationIdSchema,
  since: z.iso.datetime(),
  /** From then on it is dropped. */
  until: z.iso.datetime(),
  /** Who led. */
  leaderId: nodeIdSchema,
});
export type Kept = z.infer<typeof keptSchema>;

/** `Operation.request` of going back, and of dropping what one could go back to. */
export const keptRequestSchema = z.strictObject({ operationId: operationIdSchema });

const reachedSchema = z.object({
  timeline: z.int().min(1),
  history: z.array(ancestorSchema),
});
export type Reached = z.infer<typeof reachedSchema>;

/** How far a restore in place has come, in `Operation.result`: what undoes it begins with this. */
export const inPlaceCourseSchema = z.object({
  /** Who led when it began; null: nothing has been done yet. */
  leaderId: nodeIdSchema.nullable().default(null),
  left: leftSchema.nullable().default(null),
  /** When the last PostgreSQL had stopped. */
  stoppedAt: z.iso.datetime().nullable().default(null),
  /** Where the data is restored: the next leader. */
  restoredOn: nodeIdSchema.nullable().default(null),
  /** Where PostgreSQL came to. */
  reached: reachedSchema.nullable().default(null),
});
export type InPlaceCourse = z.infer<typeof inPlaceCourseSchema>;

/** Names are found again only if nobody else takes them. */
export const restorePointBefore = (operationId: string): string => `before-${operationId}`;

/** A course that has come to its end, as a branch; null where something is missing. */
export function branchOf(operationId: string, { left, reached, stoppedAt }: InPlaceCourse): Branch | null {
  if (left === null || reached === null || stoppedAt === null) return null;
  return { operationId, at: stoppedAt, left, ...reached };
}

/** The same branch again changes nothing. */
export function withBranch(branches: readonly Branch[], branch: Branch): Branch[] {
  return [...branches.filter(({ operationId }) => operationId !== branch.operationId), branch];
}

/** Who led before, or else anybody who has the data of then; null: nobody has. */
export function whoGoesBack({ leaderId }: Pick<Kept, "leaderId">, holders: readonly string[]): string | null {
  return holders.includes(leaderId) ? leaderId : (holders.toSorted()[0] ?? null);
}

const bytesPerGiB = 1024 ** 3;
/** WAL and what a recovery writes need room beside the data. */
const roomPerByte = 1.25;

export interface NodeRoom {
  readonly nodeId: string;
  readonly freeBytes: number;
}

/**
 * Why the data of a backup does not fit beside what is there, with what to do, as the end of a sentence; null: it fits
 * on every node.
 */
export function lackOfRoom(
  rooms: readonly NodeRoom[],
  { sizeBytes }: { readonly sizeBytes: number | null },
  { storage }: { readonly storage: { readonly sizeGiB: number } },
): string | null {
  const needed = Math.ceil((sizeBytes ?? 0) * roomPerByte);
  const least = rooms.toSorted((left, right) => left.freeBytes - right.freeBytes)[0];
  if (least === undefined || least.freeBytes >= needed) return null;
  const sizeGiB = storage.sizeGiB + Math.ceil((needed - least.freeBytes) / bytesPerGiB);
  const gib = (bytes: number): string => (bytes / bytesPerGiB).toFixed(1);
  return `${least.nodeId} has ${gib(least.freeBytes)} GiB free, and the restored data needs ${gib(needed)} GiB beside what is there now: grow storage.sizeGiB to ${sizeGiB}, or restore into a new cluster`;
}
