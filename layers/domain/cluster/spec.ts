import { z } from "zod";

/**
 * What a user asks of a cluster. A closed object: a field enters when it works.
 * Cross-field rules, PostgreSQL parameters and extensions are checked by {@link checkSpec} in check.ts.
 */

export const clusterNameSchema = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{1,28}[a-z0-9]$/,
    "must be 3 to 30 characters: a lower-case letter first, then lower-case letters, digits and hyphens, no hyphen last",
  );

/** PostgreSQL's own limit for an identifier is 63 bytes; these names need no quoting anywhere. */
const databaseNameSchema = z
  .string()
  .regex(
    /^[a-z_][a-z0-9_]{0,62}$/,
    "must be 1 to 63 characters: lower-case letters, digits and underscores, no digit first",
  );

const durabilitySchema = z.enum(["async", "sync", "strict", "quorum"]);
export type Durability = z.infer<typeof durabilitySchema>;

/** EC2's smallest and largest gp3 volume that we offer; a cluster's data, WAL and etcd share it. */
const volumeGiBMin = 1;
const volumeGiBMax = 16_384;
const membersMax = 9;
const tagsMax = 40;

/** How soon a lost leader is replaced, and how long a stall of network or etcd is ridden out: see failover.ts. */
const failoverProfileSchema = z.enum(["fast", "standard", "cautious"]);
export type FailoverProfile = z.infer<typeof failoverProfileSchema>;
const failoverDefault = { profile: "standard", wrapper: true } as const;

const parameterValueSchema = z.union([z.string().max(4096), z.number(), z.boolean()]);

const fields = {
  name: clusterNameSchema,
  postgresVersion: z.literal(17),
  members: z.int().min(1).max(membersMax),
  instanceType: z.string().min(1).max(32),
  storage: z.strictObject({ sizeGiB: z.int().min(volumeGiBMin).max(volumeGiBMax) }),
  database: databaseNameSchema,
  extensions: z.array(z.string().min(1).max(63)).max(64),
  durability: durabilitySchema,
  failover: z.strictObject({ profile: failoverProfileSchema, wrapper: z.boolean() }),
  selfHealing: z.boolean(),
  parameters: z.record(z.string().min(1).max(63), parameterValueSchema),
  dcs: z.strictObject({ members: z.union([z.literal(1), z.literal(3), z.literal(5), z.literal(7)]) }),
  pooler: z.strictObject({
    enabled: z.boolean(),
    mode: z.enum(["transaction", "session"]),
    maxClientConnections: z.int().min(10).max(20_000),
  }),
  access: z.strictObject({ cidrs: z.array(z.cidrv4()).max(50) }),
  deletionProtection: z.boolean(),
  tags: z
    .record(z.string().min(1).max(128), z.string().max(256))
    .refine((tags) => Object.keys(tags).length <= tagsMax, `must have at most ${tagsMax} entries`),
};

/** The spec as it is kept: every field filled in. */
export const clusterSpecSchema = z.strictObject(fields);
export type ClusterSpec = z.infer<typeof clusterSpecSchema>;

/** Fields that came after the first clusters. */
const laterDefaults = { failover: failoverDefault, selfHealing: true };

/** A spec that was kept before a field existed has the field's default. */
export const storedSpecSchema = z.preprocess(
  (kept) => (typeof kept === "object" && kept !== null ? { ...laterDefaults, ...kept } : kept),
  clusterSpecSchema,
);

/** What the document says of a field; `fallback` is the default where it is the same everywhere. */
const says = (description: string, fallback?: unknown) =>
  fallback === undefined ? { description } : { description, default: fallback };

/** The body of `POST /v1/clusters`: only the name is required. */
export const createClusterBodySchema = z.strictObject({
  name: fields.name.meta(
    says("Unique in the environment: a lower-case letter, then lower-case letters, digits and hyphens."),
  ),
  postgresVersion: fields.postgresVersion.optional().meta(says("Major version.", 17)),
  members: fields.members.optional().meta(says("PostgreSQL nodes: one leader and its replicas.", 3)),
  instanceType: fields.instanceType
    .optional()
    .meta(says("EC2 instance type of every node. Default: the environment's.")),
  storage: z
    .strictObject({
      sizeGiB: fields.storage.shape.sizeGiB.optional().meta(says("Data volume of each node.", 20)),
    })
    .optional(),
  database: fields.database.optional().meta(says("The database that is made for you.", "app")),
  extensions: fields.extensions
    .optional()
    .meta(says("Extensions to create in the database, such as `vector`; those that the node image has.", [])),
  durability: fields.durability
    .optional()
    .meta(
      says(
        "`async`: a commit waits for no replica. `sync`: for one, as long as there is one. `strict`: for one, always. `quorum`: for any one of several.",
        "sync",
      ),
    ),
  failover: z
    .strictObject({
      profile: failoverProfileSchema
        .optional()
        .meta(
          says(
            "How soon a leader that cannot be reached is replaced: `fast` 8 s, `standard` 22 s, `cautious` 32 s. The longer, the longer a stall of network or etcd that is ridden out.",
            failoverDefault.profile,
          ),
        ),
      wrapper: z
        .boolean()
        .optional()
        .meta(
          says(
            "Patroni starts under pgherd's start script, which shortens its waits; `false` runs it as it is.",
            failoverDefault.wrapper,
          ),
        ),
    })
    .optional(),
  selfHealing: fields.selfHealing
    .optional()
    .meta(says("Whether a node that gives no sign of life is started or replaced by itself.", true)),
  parameters: fields.parameters
    .optional()
    .meta(says("PostgreSQL parameters, but for those that Patroni or pgherd sets itself.", {})),
  dcs: z
    .strictObject({
      members: fields.dcs.shape.members
        .optional()
        .meta(says("etcd members, at most one per node. Default: 3, and 1 below three members.")),
    })
    .optional(),
  pooler: z
    .strictObject({
      enabled: fields.pooler.shape.enabled.optional().meta(says("PgBouncer on every node.", true)),
      mode: fields.pooler.shape.mode.optional().meta(says("PgBouncer's pool mode.", "transaction")),
      maxClientConnections: fields.pooler.shape.maxClientConnections
        .optional()
        .meta(says("Clients that each node's pooler takes.", 1000)),
    })
    .optional(),
  access: z
    .strictObject({
      cidrs: fields.access.shape.cidrs
        .optional()
        .meta(says("IPv4 networks of clients. Empty: the environment's own.", [])),
    })
    .optional(),
  deletionProtection: fields.deletionProtection
    .optional()
    .meta(says("Refuses a delete. Default: the environment's.")),
  tags: fields.tags.optional().meta(says("Your own labels.", {})),
});
export type CreateClusterBody = z.infer<typeof createClusterBodySchema>;

/** What an environment decides for its clusters. */
export interface SpecDefaults {
  readonly instanceType: string;
  readonly deletionProtection: boolean;
}

/** Below three members a DCS of three has no node to run on. */
function dcsMembersDefault(members: number): 1 | 3 {
  return members < 3 ? 1 : 3;
}

export function completeSpec(body: CreateClusterBody, defaults: SpecDefaults): ClusterSpec {
  const members = body.members ?? 3;
  return {
    name: body.name,
    postgresVersion: body.postgresVersion ?? 17,
    members,
    instanceType: body.instanceType ?? defaults.instanceType,
    storage: { sizeGiB: body.storage?.sizeGiB ?? 20 },
    database: body.database ?? "app",
    extensions: [...new Set(body.extensions ?? [])],
    durability: body.durability ?? "sync",
    failover: {
      profile: body.failover?.profile ?? failoverDefault.profile,
      wrapper: body.failover?.wrapper ?? failoverDefault.wrapper,
    },
    selfHealing: body.selfHealing ?? true,
    parameters: body.parameters ?? {},
    dcs: { members: body.dcs?.members ?? dcsMembersDefault(members) },
    pooler: {
      enabled: body.pooler?.enabled ?? true,
      mode: body.pooler?.mode ?? "transaction",
      maxClientConnections: body.pooler?.maxClientConnections ?? 1000,
    },
    access: { cidrs: body.access?.cidrs ?? [] },
    deletionProtection: body.deletionProtection ?? defaults.deletionProtection,
    tags: body.tags ?? {},
  };
}
