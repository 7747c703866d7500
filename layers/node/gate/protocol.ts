import { z } from "zod";
import { nodeIdSchema } from "../../domain/ids.ts";

/**
 * What the conductor of a role change and the gate of each node say to each other: one JSON object a line, over TLS
 * with certificates of the cluster on both ends. Every word of the conductor has one answer, in order.
 */
export const gateWordSchema = z.discriminatedUnion("say", [
  /** Opens what the gate will need, so that nothing of it falls into the pause. */
  z.strictObject({ say: z.literal("ready") }),
  /** Lets no new transaction begin and waits for those that run, at most `waitMs`. Ends by itself after `leaseMs`. */
  z.strictObject({ say: z.literal("hold"), waitMs: z.int().min(0), leaseMs: z.int().min(1) }),
  /** The conductor lives: the hold lasts another `leaseMs`. */
  z.strictObject({ say: z.literal("renew"), leaseMs: z.int().min(1) }),
  /** Transactions go on. With a leader, the node's proxy takes it for the one that writes from now on. */
  z.strictObject({
    say: z.literal("release"),
    towards: z.strictObject({ leader: nodeIdSchema, members: z.array(nodeIdSchema) }).nullable(),
  }),
]);
export type GateWord = z.infer<typeof gateWordSchema>;

export const gateAnswerSchema = z.discriminatedUnion("ok", [
  /**
   * `pooler`: the node has one that runs. `idle`: no transaction runs, so there was nothing to wait for, or no longer.
   * `heldMs`: how long this hold has lasted.
   */
  z.strictObject({ ok: z.literal(true), pooler: z.boolean(), idle: z.boolean(), heldMs: z.number().min(0) }),
  z.strictObject({ ok: z.literal(false), message: z.string() }),
]);
export type GateAnswer = z.infer<typeof gateAnswerSchema>;
