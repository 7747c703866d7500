import { z } from "zod";
import { ancestorSchema, leftSchema } from "../backup/branches.ts";
import { restoreSourceSchema } from "../backup/restore.ts";
import { clusterIdSchema, nodeIdSchema, operationIdSchema } from "../ids.ts";

const node = { clusterId: clusterIdSchema, nodeId: nodeIdSchema };
/** The operation that sets data aside; what it leaves on the volume is named by it. */
const ofOperation = { ...node, operationId: operationIdSchema };
/** Long enough for a shutdown checkpoint on a slow disk. */
const deadlineSeconds = z.int().min(1).max(600);

/** Where the data comes from that the next leader begins with. */
export const restoredFromSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("backup"),
    ...restoreSourceSchema.pick({ label: true, target: true, exclusive: true, timeline: true }).shape,
  }),
  /**
   * It is there already. It goes on where it was, but on a timeline of its own where another one has come to be archived
   * since: `above` is the youngest that anybody knows of.
   */
  z.strictObject({
    kind: z.literal("kept"),
    above: z.int().min(1).nullable(),
    /** On a timeline of its own in any case: it has not been in service since it was left on this one. */
    left: z.int().min(1).nullable(),
    /** Of a member that did not lead: the last of its WAL is in the archive alone. */
    withArchive: z.boolean(),
  }),
]);
export type RestoredFrom = z.infer<typeof restoredFromSchema>;

/** `failed`: it will not get any further, and `message` says why. */
const restoredSchema = z.strictObject({
  state: z.enum(["copying", "recovering", "done", "failed"]),
  message: z.string().nullable(),
  /** Once it is done. */
  reached: z.strictObject({ timeline: z.int().min(1), history: z.array(ancestorSchema) }).nullable(),
});
export type RestoredData = z.infer<typeof restoredSchema>;

const keptDataSchema = z.strictObject({
  isKept: z.boolean(),
  /** The youngest timeline that the data which the operation brought has archived; null: none. */
  archivedTimeline: z.int().min(1).nullable(),
});

/**
 * Other data in the place of what is there. Each can be repeated at any time: what is done already is success. They
 * touch nothing that a PostgreSQL has open.
 */
export const inPlaceVerbs = {
  /**
   * The node's pooler begins no more transactions and waits for those that run, at most so long; its clients wait from
   * then on, until they are let in or have waited for too long.
   */
  "hold-clients": {
    input: z.strictObject({ ...node, waitSeconds: z.int().min(0).max(60) }),
    /** False: no pooler runs here. */
    output: z.strictObject({ isHeld: z.boolean() }),
  },
  "let-clients-in": { input: z.strictObject(node), output: z.strictObject({}) },
  /** Sent to the leader: clients may log in again. */
  "admit-clients": { input: z.strictObject(node), output: z.strictObject({}) },
  /**
   * Sent to the leader: makes the restore point and waits until everything up to it is archived. `archive-fails`: with
   * PostgreSQL's own words.
   */
  "preserve-state": {
    input: z.strictObject({ ...node, restorePoint: z.string().min(1).max(63), deadlineSeconds }),
    output: leftSchema.strict(),
  },
  /** Keeps the member's data beside where it was. `postgres-runs` where PostgreSQL has not been stopped. */
  "set-aside-data": { input: z.strictObject(ofOperation), output: z.strictObject({}) },
  /** Takes what another operation has set aside for the member's data. False: this node has none of it. */
  "take-kept-data": {
    input: z.strictObject({ ...ofOperation, keptOperationId: operationIdSchema }),
    output: z.strictObject({ hasData: z.boolean() }),
  },
  /**
   * Fills the place of the data that was set aside, leads it to its target, and stops there in order, with the passwords
   * of now, and with no client's login: what a client has committed must not have to be taken back. Nothing is archived
   * by it. It is asked again and again until it says that it is done.
   */
  "restore-data": {
    input: z.strictObject({ ...ofOperation, from: restoredFromSchema }),
    output: restoredSchema,
  },
  /** Starts Patroni; where the member is to lead, also in a pause, waits until it does. */
  "start-member": {
    input: z.strictObject({ ...node, leads: z.boolean(), deadlineSeconds }),
    output: z.strictObject({}),
  },
  /** Stops whatever runs on the data that the operation has brought, and puts back what it had set aside. */
  "put-data-back": { input: z.strictObject({ ...ofOperation, deadlineSeconds }), output: z.strictObject({}) },
  /** Whether what the operation has set aside is here; changes nothing. */
  "kept-data": { input: z.strictObject(ofOperation), output: keptDataSchema },
  /** Removes what operations have set aside, but for this one's. */
  "drop-aside-data": {
    input: z.strictObject({ ...node, keep: operationIdSchema.nullable() }),
    output: z.strictObject({}),
  },
} as const;
