import { z } from "zod";
import { nodeServiceSchema } from "../cluster/cluster.ts";
import { loginSchema } from "../cluster/logins.ts";
import { passwordOwners } from "../cluster/names.ts";
import { clusterIdSchema, nodeIdSchema } from "../ids.ts";
import { logComponentSchema, logLinesMax } from "../logs.ts";

const node = { clusterId: clusterIdSchema, nodeId: nodeIdSchema };
/** Passwords are read from the environment's Parameter Store. */
const nodeWithSecrets = { environment: z.string(), ...node };
/** Long enough for a shutdown checkpoint on a slow disk. */
const deadlineSeconds = z.int().min(1).max(600);

/** Every password that can be rotated: those of the internal users, of Patroni's REST API, and of logins. */
export const passwordNameSchema = z.enum([...new Set([...passwordOwners, ...loginSchema.options])]);

/** Restart, reinitialize, pause, stop, passwords, logs. */
export const maintenanceVerbs = {
  /**
   * Stops services in order, those that clients reach first, and keeps them stopped until the machine's next boot or
   * configure. PostgreSQL writes its last checkpoint.
   */
  "shut-down": {
    input: z.strictObject({ ...node, services: z.array(nodeServiceSchema).min(1), deadlineSeconds }),
    output: z.strictObject({
      stopped: z.array(z.string()),
      /** Where PostgreSQL's shutdown checkpoint is; null where it was not among the services, or had crashed before. */
      checkpoint: z.string().nullable(),
    }),
  },
  /**
   * Restarts PostgreSQL, with `withPatroni` Patroni too, and waits until the member streams again and the shard has its
   * synchronous standby. Where PostgreSQL does not come up: `postgres-not-started`, with its own words.
   */
  "restart-member": {
    input: z.strictObject({
      ...nodeWithSecrets,
      shard: z.int().min(0),
      /** Restarts a leader where it is, with the poolers' clients held. Else one that leads refuses: `member-leads`. */
      onLeader: z.boolean(),
      withPatroni: z.boolean(),
      deadlineSeconds,
    }),
    output: z.strictObject({
      /** How long clients of the poolers were held; null where nobody had to be. */
      pauseMs: z.int().min(0).nullable(),
    }),
  },
  /** Throws the member's data away and begins to clone it again; returns when that has begun. */
  "reinitialize-member": {
    input: z.strictObject(nodeWithSecrets),
    output: z.strictObject({}),
  },
  /**
   * Switches Patroni's maintenance mode for the shard and waits until every member that answers has seen it. It does not
   * end, with `leader-without-key`, while a member takes writes that would not be the leader then.
   */
  "set-pause": {
    input: z.strictObject({
      ...nodeWithSecrets,
      shard: z.int().min(0),
      paused: z.boolean(),
      deadlineSeconds,
    }),
    output: z.strictObject({ changed: z.boolean() }),
  },
  /** A bounded part of a component's journal, oldest line first, gzipped and in base64: see `logPageSchema`. */
  "read-logs": {
    input: z.strictObject({
      ...nodeWithSecrets,
      component: logComponentSchema,
      /** Position in the journal after which to begin; null: by `since`. */
      after: z.string().max(512).nullable(),
      /** Null together with `after`: the last lines. */
      since: z.iso.datetime().nullable(),
      limit: z.int().min(1).max(logLinesMax),
    }),
    output: z.strictObject({ page: z.base64() }),
  },
  /**
   * On all nodes at the same time: each gets ready, the leader gives the roles their next passwords in one
   * transaction, and as soon as that is done every node's services follow. Passwords that are in use already are
   * success.
   */
  "switch-passwords": {
    input: z.strictObject({
      ...nodeWithSecrets,
      /** Tells this switch from others in the DCS. */
      switchId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
      names: z.array(passwordNameSchema).min(1),
      /** The nodes that take part: the leader waits until they are ready. */
      nodeIds: z.array(nodeIdSchema).min(1),
      deadlineSeconds,
    }),
    output: z.strictObject({
      isLeader: z.boolean(),
      /** From the leader's commit to this node's services having been told. */
      followedMs: z.number().min(0).nullable(),
    }),
  },
  /** Makes the services follow the passwords in Parameter Store, and the poolers the logins that are valid. */
  "follow-passwords": {
    input: z.strictObject({ ...nodeWithSecrets, logins: z.array(loginSchema).min(1) }),
    output: z.strictObject({ changed: z.array(z.string()) }),
  },
  /** Logins that begin and end; sent to the leader's node. Open connections live on. */
  "change-logins": {
    input: z.strictObject({
      ...nodeWithSecrets,
      database: z.string(),
      enable: z.array(loginSchema),
      disable: z.array(loginSchema),
    }),
    output: z.strictObject({}),
  },
  /** Makes another key, beside the one in use, and answers a request for its certificate; configure then takes both. */
  "renew-key": {
    input: z.strictObject(node),
    output: z.strictObject({ certificateRequest: z.string() }),
  },
} as const;
