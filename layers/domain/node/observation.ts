import { z } from "zod";

/** A parameter that runs with another value than it is configured with, in Patroni's words (`"100"`, `"128MB"`). */
const waitingParameterSchema = z.strictObject({ name: z.string(), from: z.string(), to: z.string() });

const observedMemberSchema = z.strictObject({
  nodeId: z.string(),
  role: z.enum(["leader", "sync-standby", "replica"]),
  /** Patroni's word: running, streaming, starting, stopped … */
  state: z.string(),
  timeline: z.int().nullable(),
  lagBytes: z.int().nullable(),
  pendingRestart: z.boolean(),
  /** What waits for the restart; left out where nothing does. */
  waiting: z.array(waitingParameterSchema).optional(),
});

/** What Patroni and etcd say of a shard and of the DCS, as one node heard it. */
export const observationSchema = z.strictObject({
  members: z.array(observedMemberSchema),
  dcs: z.strictObject({
    quorum: z.boolean(),
    members: z.array(
      z.strictObject({
        nodeId: z.string(),
        healthy: z.boolean(),
        leader: z.boolean(),
        /** What its backend takes; left out where it did not say. */
        dbBytes: z.int().min(0).optional(),
      }),
    ),
  }),
});
export type Observation = z.infer<typeof observationSchema>;
