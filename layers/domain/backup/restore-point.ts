import { z } from "zod";
import { clusterIdSchema, nodeIdSchema, operationIdSchema } from "../ids.ts";
import { type KnownPoint, pointNameCharactersMax } from "./target.ts";

/** PostgreSQL counts bytes: with these characters they are as many. */
export const pointNameSchema = z
  .string()
  .regex(
    new RegExp(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,${pointNameCharactersMax - 1}}$`),
    `must be 1 to ${pointNameCharactersMax} characters: letters, digits, dots, underscores, colons and hyphens, a letter or digit first`,
  );

/**
 * `pending`: PostgreSQL has not been told. `running`: it may have been. `uncertain`: it was told, and nobody knows
 * whether it did it; the name is used up, because PostgreSQL ends a recovery at the first point of a name.
 */
export const pointStateSchema = z.enum(["pending", "running", "succeeded", "uncertain"]);

export const restorePointSchema = z.object({
  name: z.string(),
  clusterId: clusterIdSchema,
  shard: z.int().min(0),
  state: pointStateSchema,
  /** When PostgreSQL made it, by its clock. */
  at: z.iso.datetime().nullable(),
  lsn: z.string().nullable(),
  timeline: z.int().min(1).nullable(),
  /** The operation that makes it. */
  operationId: operationIdSchema,
  /** Who was told. */
  nodeId: nodeIdSchema.nullable(),
  startedBy: z.string(),
  startedAt: z.iso.datetime(),
});
export type RestorePoint = z.infer<typeof restorePointSchema>;

/** `Operation.request` of an operation that makes a restore point. */
export const restorePointRequestSchema = z.strictObject({ name: pointNameSchema });

/** A restore point as its call writes it. */
export function newRestorePoint(
  asked: Pick<RestorePoint, "name" | "clusterId" | "shard" | "operationId" | "startedBy" | "startedAt">,
): RestorePoint {
  return { ...asked, state: "pending", at: null, lsn: null, timeline: null, nodeId: null };
}

/** Null: nobody can restore to it, because nobody knows that PostgreSQL has made it. */
export function knownPoint({ at, lsn, name, state, timeline }: RestorePoint): KnownPoint | null {
  if (state !== "succeeded" || at === null || lsn === null || timeline === null) return null;
  return { name, at, lsn, timeline };
}
