import { z } from "zod";
import { restoreSourceSchema } from "../backup/restore.ts";
import { nodeServiceSchema } from "../cluster/cluster.ts";
import { firstLogins, loginSchema } from "../cluster/logins.ts";
import { storedSpecSchema } from "../cluster/spec.ts";
import { clusterIdSchema, nodeIdSchema } from "../ids.ts";
import { backupVerbs } from "./backup-verbs.ts";
import { drillVerbs } from "./drill-verbs.ts";
import { inPlaceVerbs } from "./in-place-verbs.ts";
import { inspectVerbs } from "./inspect-verbs.ts";
import { logicalVerbs } from "./logical-verbs.ts";
import { maintenanceVerbs } from "./maintenance-verbs.ts";
import { membershipVerbs } from "./membership-verbs.ts";
import { observationSchema } from "./observation.ts";
import { repositorySchema } from "./repository.ts";
import { roleChangeVerbs } from "./role-change-verbs.ts";

/**
 * What the control plane says to a node and what the node answers. Both sides check with these schemas.
 * No secret is in here: a node reads its own from Parameter Store with its instance role.
 */

const pemCertificateSchema = z
  .string()
  .regex(/^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?$/);
const pemCertificatesSchema = z
  .string()
  .regex(/^(?:-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?){1,3}$/);
const pemRequestSchema = z
  .string()
  .regex(/^-----BEGIN CERTIFICATE REQUEST-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE REQUEST-----\n?$/);

/** One node as its neighbours must know it. */
export const peerSchema = z.strictObject({
  nodeId: nodeIdSchema,
  address: z.ipv4(),
  zone: z.string(),
  shard: z.int().min(0),
  services: z.array(nodeServiceSchema),
});
export type Peer = z.infer<typeof peerSchema>;

/** What a node of a restored cluster reads, and where it ends. */
const nodeRestoreSchema = z.strictObject({ source: restoreSourceSchema, repository: repositorySchema });
export type NodeRestore = z.infer<typeof nodeRestoreSchema>;

/** Everything that a node's configuration follows from, secrets aside. */
export const nodeIntentSchema = z.strictObject({
  environment: z.string(),
  region: z.string(),
  clusterId: clusterIdSchema,
  nodeId: nodeIdSchema,
  spec: storedSpecSchema,
  peers: z.array(peerSchema).min(1),
  /** Logins that are valid now. */
  logins: z.array(loginSchema).default(Object.values(firstLogins)),
  /** One certificate, or several while the cluster changes from one authority to another. */
  authorityCertificate: pemCertificatesSchema,
  nodeCertificate: pemCertificateSchema,
  /** The shard's repository; null where there is none yet, and then WAL goes nowhere. */
  backups: repositorySchema.nullable().default(null),
  /** Where the data comes from that a PostgreSQL which starts for the first time begins with; null: from nowhere. */
  restore: nodeRestoreSchema.nullable().default(null),
  /** Tells this configuration from others; certificates do not count. */
  revision: z.string().optional(),
  /** Whether an etcd that starts for the first time founds the DCS or joins one. */
  dcsState: z.enum(["new", "existing"]).default("new"),
});
export type NodeIntent = z.infer<typeof nodeIntentSchema>;

export { type Observation, observationSchema } from "./observation.ts";
export { type Repository, repositoryOf } from "./repository.ts";

export const nodeVerbs = {
  ...roleChangeVerbs,
  ...membershipVerbs,
  ...maintenanceVerbs,
  ...inspectVerbs,
  ...backupVerbs,
  ...logicalVerbs,
  ...drillVerbs,
  ...inPlaceVerbs,
  /** Finds, formats (only when blank) and mounts the data volume; makes the node's key; answers a CSR for it. */
  prepare: {
    input: z.strictObject({
      clusterId: clusterIdSchema,
      nodeId: nodeIdSchema,
      volumeId: z.string().regex(/^vol-[0-9a-f]+$/),
      address: z.ipv4(),
    }),
    output: z.strictObject({ certificateRequest: pemRequestSchema }),
  },
  /** Writes every configuration file and starts, reloads or restarts exactly what changed. */
  configure: {
    input: nodeIntentSchema,
    output: z.strictObject({ changed: z.array(z.string()) }),
  },
  /** Waits until the shard has its leader and every member streams (and the standby is synchronous where asked). */
  "await-members": {
    input: z.strictObject({
      clusterId: clusterIdSchema,
      nodeId: nodeIdSchema,
      shard: z.int().min(0),
      members: z.int().min(1),
      synchronousStandbys: z.int().min(0),
      timeoutSeconds: z.int().min(1).max(600),
    }),
    output: z.strictObject({ leader: nodeIdSchema }),
  },
  /** Login roles, database, grants and extensions; sent to the leader's node. */
  "apply-database": {
    input: z.strictObject({
      environment: z.string(),
      clusterId: clusterIdSchema,
      nodeId: nodeIdSchema,
      database: z.string(),
      extensions: z.array(z.string()),
      logins: z.array(loginSchema).default(Object.values(firstLogins)),
    }),
    output: z.strictObject({
      extensions: z.array(z.strictObject({ name: z.string(), version: z.string() })),
    }),
  },
  /** As a client: writes through readWrite, reads the row through every other endpoint, all with `verify-full`. */
  verify: {
    input: z.strictObject({
      environment: z.string(),
      clusterId: clusterIdSchema,
      nodeId: nodeIdSchema,
      database: z.string(),
      addresses: z.array(z.ipv4()).min(1),
      replicas: z.int().min(0),
      pooler: z.boolean(),
      timeoutSeconds: z.int().min(1).max(300),
    }),
    output: z.strictObject({}),
  },
  /** What Patroni and etcd say now; changes nothing. */
  observe: {
    input: z.strictObject({ clusterId: clusterIdSchema, nodeId: nodeIdSchema }),
    output: observationSchema,
  },
} as const;

export type NodeVerb = keyof typeof nodeVerbs;
export type NodeCommands = {
  [V in NodeVerb]: {
    input: z.infer<(typeof nodeVerbs)[V]["input"]>;
    output: z.infer<(typeof nodeVerbs)[V]["output"]>;
  };
};

/**
 * What the node program prints, always exactly one line of JSON on stdout; exit status 0 with `ok: true`, else 1.
 * `code` is stable, `message` is for people.
 */
export const nodeAnswerSchema = z.discriminatedUnion("ok", [
  z.strictObject({ ok: z.literal(true), output: z.unknown() }),
  z.strictObject({ ok: z.literal(false), error: z.strictObject({ code: z.string(), message: z.string() }) }),
]);
export type NodeAnswer = z.infer<typeof nodeAnswerSchema>;
