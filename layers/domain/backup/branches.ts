import { z } from "zod";
import { operationIdSchema } from "../ids.ts";
import type { KnownPoint } from "./target.ts";

/**
 * A cluster whose data is taken back to an earlier moment goes on from there on a timeline of its own. What was in
 * service before stays in the archive beside it, and can be restored to as well: a target has to be looked for on the
 * right one of them.
 */

const timelineSchema = z.int().min(1);

/** A line of PostgreSQL's history file: a timeline that was left, and where. */
export const ancestorSchema = z.object({ timeline: timelineSchema, lsn: z.string() });

/** How far that had come which was in service before. */
export const leftSchema = z.object({
  timeline: timelineSchema,
  lsn: z.string(),
  /** With its epoch. */
  nextXid: z.string(),
  /** A restore point that was made at its end. */
  restorePoint: z.string(),
  at: z.iso.datetime(),
});
export type Left = z.infer<typeof leftSchema>;

/** Where the cluster's data was taken somewhere else. */
export const branchSchema = z.object({
  operationId: operationIdSchema,
  /** What was in service before took no commit after this. */
  at: z.iso.datetime(),
  left: leftSchema,
  timeline: timelineSchema,
  /** All timelines that this one comes from, the oldest first. */
  history: z.array(ancestorSchema),
});
export type Branch = z.infer<typeof branchSchema>;

/** The restore points that were made where the cluster was taken somewhere else. */
export function pointsOf(branches: readonly Branch[]): KnownPoint[] {
  return branches.map(({ left: { at, lsn, restorePoint: name, timeline } }) => ({ name, at, lsn, timeline }));
}
