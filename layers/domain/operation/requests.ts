import { z } from "zod";
import { nodeIdSchema } from "../ids.ts";

/** What an operation's call asked for, as it is kept in `Operation.request`: one shape per kind. */

export const switchoverRequestSchema = z.strictObject({
  shard: z.int().min(0),
  /** Who led when the call came: done is when somebody else does. */
  from: nodeIdSchema,
  /** Null: the best of those that can. */
  candidate: nodeIdSchema.nullable(),
  force: z.boolean(),
});

export const failoverRequestSchema = z.strictObject({
  shard: z.int().min(0),
  /** Who led when the call came; null where nobody did. */
  from: nodeIdSchema.nullable(),
  candidate: nodeIdSchema,
});

export const restartRequestSchema = z.strictObject({
  /** Null: every member. */
  nodeIds: z.array(nodeIdSchema).min(1).nullable(),
  onlyPendingRestart: z.boolean(),
  /** Of the role change before the leader's restart. */
  force: z.boolean(),
});

export const reinitializeRequestSchema = z.strictObject({ nodeId: nodeIdSchema });

export const recoverRequestSchema = z.strictObject({
  /** The node that etcd starts anew from; null: of those that answer, the one that has the most. */
  survivor: nodeIdSchema.nullable(),
});

/** What a recovery has done, in `Operation.result`: founding etcd twice would lose what the first one has learned. */
export const recoveryResultSchema = z.object({
  /** Nodes whose stopped machines were to be started again, before anybody was given up. */
  started: z.array(z.string()).default([]),
  survivor: z.string().nullable().default(null),
  setAside: z.array(z.string()).default([]),
  isFounded: z.boolean().default(false),
});

/** What a restart has done, in `Operation.result`: a plan that follows looks here, so that nobody is restarted twice. */
export const restartCourseSchema = z.object({
  restarted: z.array(z.object({ nodeId: z.string(), inPlace: z.boolean() })).default([]),
  leaderMoves: z
    .array(z.object({ from: z.string().nullable(), to: z.string(), pauseMs: z.number().nullable() }))
    .default([]),
});
export type RestartCourse = z.infer<typeof restartCourseSchema>;

/** Whether the clone of a replica has begun, in `Operation.result`: begun again, it would start from nothing. */
export const reinitializeCourseSchema = z.object({ begun: z.boolean().default(false) });
