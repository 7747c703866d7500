import { z } from "zod";
import { clusterIdSchema, nodeIdSchema } from "../ids.ts";

/** One member as a role change must know it. */
const assessedMemberSchema = z.strictObject({
  nodeId: nodeIdSchema,
  role: z.enum(["leader", "sync-standby", "replica"]),
  /** Patroni's word: running, streaming, starting, stopped … */
  state: z.string(),
  timeline: z.int().nullable(),
  /** WAL that the leader has written and the member has not replayed; null where nobody can tell. */
  replayLagBytes: z.int().min(0).nullable(),
  /** A commit waits for this one: it has everything that was acknowledged. */
  isSynchronous: z.boolean(),
  /** Never to be promoted (a Patroni tag). */
  noFailover: z.boolean(),
});

const assessmentSchema = z.strictObject({
  leader: nodeIdSchema.nullable(),
  /** Who would take over: the one that was asked for, or the best of those that can. Null where nobody can. */
  candidate: nodeIdSchema.nullable(),
  timeline: z.int().nullable(),
  members: z.array(assessedMemberSchema),
  synchronousMode: z.enum(["off", "on", "strict", "quorum"]),
  /** Patroni's maintenance mode: nothing fails over by itself. */
  paused: z.boolean(),
  /** A switchover that somebody has asked Patroni for and that has not happened yet. */
  scheduled: z.boolean(),
  oldestTransactionSeconds: z.number().min(0),
  /** WAL segments that wait for the archive; 0 while nothing is archived. */
  archiveQueueLength: z.int().min(0),
  dcs: z.strictObject({ quorum: z.boolean(), leader: nodeIdSchema.nullable() }),
});
export type Assessment = z.infer<typeof assessmentSchema>;

/** Long enough for a shutdown checkpoint on a slow disk, short enough that an operator sees the end of it. */
const roleChangeSecondsMax = 300;

/** Moving the leader, and what poolers do meanwhile. */
export const roleChangeVerbs = {
  /** Facts for the decision whether the leader may move now; changes nothing. Any node of the shard can tell. */
  "assess-role-change": {
    input: z.strictObject({
      clusterId: clusterIdSchema,
      nodeId: nodeIdSchema,
      shard: z.int().min(0),
      candidate: nodeIdSchema.nullable(),
    }),
    output: assessmentSchema,
  },
  /**
   * Moves the leader from `from` to `to`: poolers hold their clients meanwhile. Send it to `from` while that node is
   * well (Patroni there says when PostgreSQL is about to stop, so clients wait for less), else to `to`.
   * `from: null`: there is no leader. `force`: transactions that do not end in time are broken, and `to` is
   * promoted even if Patroni would not choose it.
   * Done already (`to` leads) is success, with `pauseMs: null`.
   */
  "change-role": {
    input: z.strictObject({
      environment: z.string(),
      clusterId: clusterIdSchema,
      nodeId: nodeIdSchema,
      shard: z.int().min(0),
      from: nodeIdSchema.nullable(),
      to: nodeIdSchema,
      force: z.boolean(),
      deadlineSeconds: z.int().min(5).max(roleChangeSecondsMax),
    }),
    output: z.strictObject({
      from: nodeIdSchema.nullable(),
      to: nodeIdSchema,
      /** From the first pooler's pause to the last one's end of it; null where none was paused. */
      pauseMs: z.int().min(0).nullable(),
      timeline: z.int().nullable(),
      /** Poolers that could not be paused: their clients saw their connections break. */
      unpaused: z.array(nodeIdSchema),
    }),
  },
  /** The node's pooler takes no new connection and closes those it has, between transactions; then it is stopped. */
  "drain-pooler": {
    input: z.strictObject({
      clusterId: clusterIdSchema,
      nodeId: nodeIdSchema,
      deadlineSeconds: z.int().min(1).max(roleChangeSecondsMax),
    }),
    output: z.strictObject({ closed: z.int().min(0), cut: z.int().min(0) }),
  },
  /** etcd's leader goes to `to`, or, with null, to any healthy member that is not on a PostgreSQL leader's node. */
  "move-dcs-leader": {
    input: z.strictObject({
      clusterId: clusterIdSchema,
      nodeId: nodeIdSchema,
      to: nodeIdSchema.nullable(),
    }),
    output: z.strictObject({ leader: nodeIdSchema.nullable(), moved: z.boolean() }),
  },
} as const;
