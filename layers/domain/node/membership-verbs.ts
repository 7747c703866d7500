import { z } from "zod";
import { clusterIdSchema, nodeIdSchema } from "../ids.ts";
import { inspectionSchema } from "./inspect-verbs.ts";
import { observationSchema } from "./observation.ts";

const node = { clusterId: clusterIdSchema, nodeId: nodeIdSchema };
/** etcd's ids are 64-bit numbers, which JSON's numbers cannot hold. */
const memberIdSchema = z.string().regex(/^\d{1,20}$/);
/** Long enough for a clone of a large database on a slow disk to be told as progress, not as silence. */
const timeoutSeconds = z.int().min(1).max(600);

const dcsMemberSchema = z.strictObject({
  memberId: memberIdSchema,
  /** Empty until the member has started for the first time. */
  name: z.string(),
  address: z.string(),
  isLearner: z.boolean(),
  isHealthy: z.boolean(),
  isLeader: z.boolean(),
});

/** Values as PostgreSQL has them now, and as it was told. */
const pendingParameterSchema = z.strictObject({ name: z.string(), from: z.string(), to: z.string() });
export type PendingParameter = z.infer<typeof pendingParameterSchema>;

const placeSchema = z.strictObject({
  /** Null before the node's first configure. */
  inspection: inspectionSchema.nullable(),
  /** Whether the file system is as large as its volume. */
  isFilled: z.boolean(),
  /** Null where no member answers, or the node knows of none. */
  dcs: z.strictObject({ hasQuorum: z.boolean(), members: z.array(dcsMemberSchema) }).nullable(),
  /** Null where no Patroni of the shard answers. */
  patroni: z.strictObject({ members: observationSchema.shape.members }).nullable(),
  /** Patroni on this node runs otherwise than its unit says: it takes a restart. */
  isProgramStale: z.boolean(),
  /** What waits for a restart of PostgreSQL; null where it does not answer, or Patroni. */
  pendingRestart: z.array(pendingParameterSchema).nullable(),
  /** On the leader alone: every extension of the database, and the version that the node has to offer. */
  extensions: z
    .array(z.strictObject({ name: z.string(), version: z.string(), available: z.string().nullable() }))
    .nullable(),
});
export type ObservedPlace = z.infer<typeof placeSchema>;

/** Joining and leaving: etcd members, clones, volumes. */
export const membershipVerbs = {
  /**
   * Everything that a plan needs to know from this node; changes nothing. A Patroni that has just been given another
   * configuration gets `settleSeconds` to take it over.
   */
  "observe-place": {
    input: z.strictObject({ ...node, database: z.string(), settleSeconds: z.int().min(0).max(60) }),
    output: placeSchema,
  },
  /** Makes the member a learner, unless it is a member already. Sent to any node that knows etcd. */
  "add-dcs-learner": {
    input: z.strictObject({ ...node, address: z.ipv4() }),
    output: z.strictObject({ memberId: memberIdSchema }),
  },
  /** Waits until the learner has caught up and makes it a voter; a voter already is success. */
  "promote-dcs-learner": {
    input: z.strictObject({ ...node, memberId: memberIdSchema, timeoutSeconds }),
    output: z.strictObject({}),
  },
  /** Removes the member from etcd's list; gone already is success. */
  "remove-dcs-member": {
    input: z.strictObject({ ...node, memberId: memberIdSchema }),
    output: z.strictObject({}),
  },
  /** Stops etcd on this node and empties it, so that it can only come back as a new member. */
  "forget-dcs": { input: z.strictObject(node), output: z.strictObject({}) },
  /** Waits until etcd has a majority or, with `member`, until that node's member is healthy. */
  "await-dcs": {
    input: z.strictObject({ ...node, member: nodeIdSchema.nullable(), timeoutSeconds }),
    output: z.strictObject({}),
  },
  /**
   * Waits until the member streams (or leads) or, with null, until there is a leader. `isThere` is false when the time
   * is over and the member is still being cloned.
   */
  "await-member": {
    input: z.strictObject({ ...node, member: nodeIdSchema.nullable(), timeoutSeconds }),
    output: z.strictObject({ isThere: z.boolean(), state: z.string() }),
  },
  /** Grows the file system over the whole volume, which `sizeGiB` says the new size of; one that fills it is success. */
  "grow-filesystem": {
    input: z.strictObject({ ...node, volumeId: z.string(), sizeGiB: z.int().min(1) }),
    output: z.strictObject({ sizeBytes: z.int().min(0) }),
  },
  /**
   * Takes what Patroni keeps in the DCS to what the node's intent asks for; with `synchronousNodes` there are that many
   * synchronous standbys until it is applied again without.
   */
  "apply-dynamic-configuration": {
    input: z.strictObject({
      environment: z.string(),
      ...node,
      synchronousNodes: z.int().min(1).nullable().default(null),
    }),
    output: z.strictObject({ changed: z.array(z.string()) }),
  },
  /** Creates, updates and drops extensions; sent to the leader. `extension-in-use` where one cannot be dropped. */
  "change-extensions": {
    input: z.strictObject({
      ...node,
      database: z.string(),
      create: z.array(z.string()),
      update: z.array(z.string()),
      drop: z.array(z.string()),
    }),
    output: z.strictObject({}),
  },
} as const;
