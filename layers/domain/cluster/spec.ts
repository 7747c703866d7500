import { z } from "zod";
import {
  backupSpecDefault,
  drillSpecSchema,
  retentionSchema,
  schedulesSchema,
  verifySpecSchema,
} from "../backup/schedule.ts";
import { backupStoreSchema } from "../backup/store.ts";

/**
 * What a user asks of a cluster. A closed object: a field enters when it works.
 * Cross-field rules, PostgreSQL parameters and extensions are checked by {@link checkSpec} in check.ts.
 */

const clusterNameSchema = z
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
/** Ten years: longer than anybody is asked to keep something. */
const retainDaysMax = 3650;

/** How soon a lost leader is replaced, and how long a stall of network or etcd is ridden out: see failover.ts. */
const failoverProfileSchema = z.enum(["fast", "standard", "cautious"]);
export type FailoverProfile = z.infer<typeof failoverProfileSchema>;
export const failoverDefault = { profile: "standard", wrapper: true } as const;

const parameterValueSchema = z.union([z.string().max(4096), z.number(), z.boolean()]);

/** `dedicated`: on nodes of their own, which run nothing else. */
const placementSchema = z.enum(["colocated", "dedicated"]);
const instanceTypeSchema = z.string().min(1).max(32);
/**
 * Networks and security groups in all. Each takes two of the 60 rules that EC2 gives a security group (see
 * security-rules.ts); nodes and whoever watches take up to 19.
 */
export const clientSourcesMax = 20;
export const securityGroupIdSchema = z
  .string()
  .regex(/^sg-[0-9a-f]+$/, "must be a security group's id such as sg-0a1b2c3d");
/** One proxy alone would be what the whole cluster hangs on. */
const proxiesMin = 2;
const proxiesMax = 9;

/** Every field as it is kept, for the bodies that set it. */
export const specFields = {
  name: clusterNameSchema,
  postgresVersion: z.literal(17),
  members: z.int().min(1).max(membersMax),
  instanceType: instanceTypeSchema,
  storage: z.strictObject({ sizeGiB: z.int().min(volumeGiBMin).max(volumeGiBMax) }),
  database: databaseNameSchema,
  extensions: z.array(z.string().min(1).max(63)).max(64),
  durability: durabilitySchema,
  failover: z.strictObject({ profile: failoverProfileSchema, wrapper: z.boolean() }),
  selfHealing: z.boolean(),
  parameters: z.record(z.string().min(1).max(63), parameterValueSchema),
  dcs: z.strictObject({
    members: z.union([z.literal(1), z.literal(3), z.literal(5), z.literal(7)]),
    placement: placementSchema,
    instanceType: instanceTypeSchema.optional(),
  }),
  proxy: z.strictObject({
    placement: placementSchema,
    count: z.int().min(proxiesMin).max(proxiesMax),
    instanceType: instanceTypeSchema.optional(),
  }),
  pooler: z.strictObject({
    enabled: z.boolean(),
    mode: z.enum(["transaction", "session"]),
    maxClientConnections: z.int().min(10).max(20_000),
  }),
  access: z.strictObject({
    cidrs: z.array(z.cidrv4()).max(clientSourcesMax),
    securityGroupIds: z.array(securityGroupIdSchema).max(clientSourcesMax),
  }),
  backup: z.strictObject({
    schedules: schedulesSchema,
    retention: retentionSchema,
    drill: drillSpecSchema,
    verify: verifySpecSchema,
    retainAfterDeleteDays: z.int().min(0).max(retainDaysMax),
    store: backupStoreSchema.nullable(),
  }),
  deletionProtection: z.boolean(),
  tags: z
    .record(z.string().min(1).max(128), z.string().max(256))
    .refine((tags) => Object.keys(tags).length <= tagsMax, `must have at most ${tagsMax} entries`),
};

/** The spec as it is kept: every field filled in. */
export const clusterSpecSchema = z.strictObject(specFields);
export type ClusterSpec = z.infer<typeof clusterSpecSchema>;

export const backupDefault = {
  ...backupSpecDefault,
  /** Time enough to notice that the wrong cluster was deleted. */
  retainAfterDeleteDays: 7,
  /** The environment's bucket. */
  store: null,
};
export const proxyDefault = { placement: "colocated", count: proxiesMin } as const;
/** The environment's own networks. */
export const accessDefault = { cidrs: [], securityGroupIds: [] };

/** Fields that came after the first clusters. */
const laterDefaults = {
  failover: failoverDefault,
  selfHealing: true,
  dcs: { placement: "colocated" },
  proxy: proxyDefault,
  access: accessDefault,
  backup: backupDefault,
} as const;

/** A spec that was kept before a field existed has the field's default. */
export const storedSpecSchema = z.preprocess((kept) => fillIn(kept, laterDefaults), clusterSpecSchema);

function fillIn(kept: unknown, defaults: Readonly<Record<string, unknown>>): unknown {
  if (!isObject(kept)) return kept;
  const filled: Record<string, unknown> = { ...kept };
  for (const [name, value] of Object.entries(defaults)) {
    if (!(name in kept)) filled[name] = value;
    else if (isObject(value)) filled[name] = fillIn(kept[name], value);
  }
  return filled;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
