import { z } from "zod";
import { nodeIdSchema } from "../../ids.ts";
import { storedSpecSchema } from "../spec.ts";

/** A node's instance (and volume, and zone) to be given up. The ids say when that has happened. */
export const replaceDirectiveSchema = z.strictObject({
  nodeId: nodeIdSchema,
  /** The instance to be replaced; null where the node had none. */
  instanceId: z.string().nullable(),
  /** `fresh`: the volume to be replaced. Null: the volume stays. */
  volumeId: z.string().nullable(),
  /** The zone to move to. Null: the node stays where it is. */
  zone: z.string().nullable(),
});
export type ReplaceDirective = z.infer<typeof replaceDirectiveSchema>;

/** `Operation.request` of a converge: what the call asked for beside the spec. */
export const convergeRequestSchema = z.strictObject({
  /** `restart`: what waits for a restart of PostgreSQL gets one. */
  apply: z.enum(["reload", "restart"]).default("reload"),
  replace: replaceDirectiveSchema.nullable().default(null),
  /** Extensions that the spec had before and has no more; those that users made themselves are theirs. */
  dropExtensions: z.array(z.string()).default([]),
  /** The spec before this operation, to go back to; null where the operation did not change it. */
  previousSpec: storedSpecSchema.nullable().default(null),
  /** Only what concerns no node has changed (`tags`, `deletionProtection` …): no node is asked. */
  isRecordOnly: z.boolean().default(false),
});
export type ConvergeRequest = z.infer<typeof convergeRequestSchema>;
