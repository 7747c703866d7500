import { z } from "zod";
import {
  cronSchema,
  eachKind,
  keptCountSchema,
  retentionDefaults,
  type ScheduleKind,
  scheduleDefaults,
  verifyCronDefault,
} from "../backup/schedule.ts";
import { backupStoreSchema, pathStyleDefault } from "../backup/store.ts";
import { drillTablesSchema } from "../backup/tables.ts";
import {
  accessDefault,
  backupDefault,
  type ClusterSpec,
  clientSourcesMax,
  failoverDefault,
  proxyDefault,
  specFields,
} from "./spec.ts";

/** What the document says of a field; `fallback` is the default where it is the same everywhere. */
const says = (description: string, fallback?: unknown) =>
  fallback === undefined ? { description } : { description, default: fallback };

const scheduled: Readonly<Record<ScheduleKind, string>> = {
  full: "Of full backups, at least 15 minutes apart",
  diff: "Of differential backups",
  incr: "Of incremental backups",
  logical: "Of logical backups",
};
const scheduleField = (kind: ScheduleKind) =>
  cronSchema
    .nullable()
    .optional()
    .meta(
      says(
        `${scheduled[kind]}: five fields of cron, in UTC; \`null\`: never, in a patch, too.`,
        scheduleDefaults[kind],
      ),
    );

const { bucket, credentialsParameter, endpoint, pathStyle, region } = backupStoreSchema.shape;
const storeField = z
  .strictObject({
    endpoint: endpoint.meta(says("Host, and port where it is not 443. It is spoken to over TLS alone.")),
    bucket: bucket.meta(says("It has to be there; everything of the cluster lies below a path of its own.")),
    region: region.meta(says("That requests are signed for: the store's own, `auto` for GCS.")),
    pathStyle: pathStyle
      .optional()
      .meta(says("The bucket in the path, and not in the host name.", pathStyleDefault)),
    credentialsParameter: credentialsParameter.meta(
      says(
        'A SecureString below `/pgherd/<environment>/stores/` that holds JSON `{"accessKeyId", "secretAccessKey", "sessionToken"?}`.',
      ),
    ),
  })
  .nullable()
  .optional()
  .meta(
    says(
      "A store of your own that speaks S3, for backups and WAL. It is tried before anything is made, and stays for the life of the cluster. `null`: the environment's bucket.",
      null,
    ),
  );

/** The body of `POST /v1/clusters`: only the name is required. */
export const createClusterBodySchema = z.strictObject({
  name: specFields.name.meta(
    says("Unique in the environment: a lower-case letter, then lower-case letters, digits and hyphens."),
  ),
  postgresVersion: specFields.postgresVersion.optional().meta(says("Major version.", 17)),
  members: specFields.members.optional().meta(says("PostgreSQL nodes: one leader and its replicas.", 3)),
  instanceType: specFields.instanceType
    .optional()
    .meta(says("EC2 instance type of the nodes. Default: the environment's.")),
  storage: z
    .strictObject({
      sizeGiB: specFields.storage.shape.sizeGiB.optional().meta(says("Data volume of each node.", 20)),
    })
    .optional(),
  database: specFields.database.optional().meta(says("The database that is made for you.", "app")),
  extensions: specFields.extensions
    .optional()
    .meta(says("Extensions to create in the database, such as `vector`; those that the node image has.", [])),
  durability: specFields.durability
    .optional()
    .meta(
      says(
        "`async`: a commit waits for no replica. `sync`: for one, as long as there is one. `strict`: for one, always. `quorum`: for any one of several.",
        "sync",
      ),
    ),
  failover: z
    .strictObject({
      profile: specFields.failover.shape.profile
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
  selfHealing: specFields.selfHealing
    .optional()
    .meta(says("Whether a node that gives no sign of life is started or replaced by itself.", true)),
  parameters: specFields.parameters
    .optional()
    .meta(says("PostgreSQL parameters, but for those that Patroni or pgherd sets itself.", {})),
  dcs: z
    .strictObject({
      members: specFields.dcs.shape.members
        .optional()
        .meta(says("etcd members. Default: 3, and 1 below three members.")),
      placement: specFields.dcs.shape.placement
        .optional()
        .meta(says("`colocated`: etcd on the first nodes. `dedicated`: on nodes of its own.", "colocated")),
      instanceType: specFields.dcs.shape.instanceType.meta(
        says("Of dedicated etcd nodes. Default: the other nodes'."),
      ),
    })
    .optional(),
  proxy: z
    .strictObject({
      placement: specFields.proxy.shape.placement
        .optional()
        .meta(
          says(
            "`colocated`: HAProxy and PgBouncer on every PostgreSQL node. `dedicated`: on nodes of their own.",
            proxyDefault.placement,
          ),
        ),
      count: specFields.proxy.shape.count.optional().meta(says("Dedicated proxy nodes.", proxyDefault.count)),
      instanceType: specFields.proxy.shape.instanceType.meta(
        says("Of dedicated proxy nodes. Default: the other nodes'."),
      ),
    })
    .optional(),
  pooler: z
    .strictObject({
      enabled: specFields.pooler.shape.enabled.optional().meta(says("PgBouncer beside every HAProxy.", true)),
      mode: specFields.pooler.shape.mode.optional().meta(says("PgBouncer's pool mode.", "transaction")),
      maxClientConnections: specFields.pooler.shape.maxClientConnections
        .optional()
        .meta(says("Clients that each node's pooler takes.", 1000)),
    })
    .optional(),
  access: z
    .strictObject({
      cidrs: specFields.access.shape.cidrs
        .optional()
        .meta(
          says(
            "IPv4 networks of clients. Where these and `securityGroupIds` are empty: the environment's own.",
            accessDefault.cidrs,
          ),
        ),
      securityGroupIds: specFields.access.shape.securityGroupIds
        .optional()
        .meta(
          says(
            `Security groups of the environment's VPC, whose members are clients too. With \`cidrs\` at most ${clientSourcesMax}.`,
            accessDefault.securityGroupIds,
          ),
        ),
    })
    .optional(),
  backup: z
    .strictObject({
      schedules: z.strictObject(eachKind(scheduleField)).optional(),
      retention: z
        .strictObject({
          full: keptCountSchema
            .optional()
            .meta(
              says(
                "Full backups that are kept; older ones go after each backup, with all that need them and their WAL.",
                retentionDefaults.full,
              ),
            ),
          diff: keptCountSchema
            .optional()
            .meta(says("Differential backups that are kept.", retentionDefaults.diff)),
          logical: keptCountSchema
            .optional()
            .meta(says("Logical backups that are kept.", retentionDefaults.logical)),
        })
        .optional(),
      drill: z
        .strictObject({
          cron: cronSchema.meta(says("When: five fields of cron, in UTC.")),
          tables: drillTablesSchema
            .optional()
            .meta(says("Tables of the database whose rows are counted, as `schema.table`.", [])),
        })
        .nullable()
        .optional()
        .meta(
          says(
            "The newest backup is restored into a cluster of its own, checked, and removed again: as `POST …/drill` does it. `null`: never.",
            null,
          ),
        ),
      verify: z
        .strictObject({ cron: cronSchema.meta(says("When: five fields of cron, in UTC.")) })
        .nullable()
        .optional()
        .meta(
          says(
            "Every backup and all WAL in the repository is read and compared with its checksum, on a replica where there is one. `null`: never.",
            { cron: verifyCronDefault },
          ),
        ),
      retainAfterDeleteDays: specFields.backup.shape.retainAfterDeleteDays
        .optional()
        .meta(
          says(
            "For how many days its backups are kept once the cluster is deleted; for so long `undelete` brings it back. 0: they go with the cluster.",
            backupDefault.retainAfterDeleteDays,
          ),
        ),
      store: storeField,
    })
    .optional(),
  deletionProtection: specFields.deletionProtection
    .optional()
    .meta(says("Refuses a delete. Default: the environment's.")),
  tags: specFields.tags.optional().meta(says("Your own labels.", {})),
});
export type CreateClusterBody = z.infer<typeof createClusterBodySchema>;

/** What an environment decides for its clusters. */
export interface SpecDefaults {
  readonly instanceType: string;
  readonly deletionProtection: boolean;
}

/** Below three members a DCS of three has no node to run on. */
export function dcsMembersDefault(members: number): 1 | 3 {
  return members < 3 ? 1 : 3;
}

/** Without what is only undefined: null is a value. */
function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

type DrillBody = NonNullable<CreateClusterBody["backup"]>["drill"];

function drillOf(drill: DrillBody): ClusterSpec["backup"]["drill"] {
  if (drill === undefined) return backupDefault.drill;
  return drill === null ? null : { cron: drill.cron, tables: drill.tables ?? [] };
}

function completeStore(store: z.infer<typeof storeField>): ClusterSpec["backup"]["store"] {
  if (store === null || store === undefined) return null;
  return { ...store, pathStyle: store.pathStyle ?? pathStyleDefault };
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
    dcs: {
      members: body.dcs?.members ?? dcsMembersDefault(members),
      placement: body.dcs?.placement ?? "colocated",
      ...(body.dcs?.instanceType === undefined ? {} : { instanceType: body.dcs.instanceType }),
    },
    proxy: {
      placement: body.proxy?.placement ?? proxyDefault.placement,
      count: body.proxy?.count ?? proxyDefault.count,
      ...(body.proxy?.instanceType === undefined ? {} : { instanceType: body.proxy.instanceType }),
    },
    pooler: {
      enabled: body.pooler?.enabled ?? true,
      mode: body.pooler?.mode ?? "transaction",
      maxClientConnections: body.pooler?.maxClientConnections ?? 1000,
    },
    access: {
      cidrs: body.access?.cidrs ?? accessDefault.cidrs,
      securityGroupIds: body.access?.securityGroupIds ?? accessDefault.securityGroupIds,
    },
    backup: {
      schedules: { ...backupDefault.schedules, ...given(body.backup?.schedules ?? {}) },
      retention: { ...backupDefault.retention, ...given(body.backup?.retention ?? {}) },
      drill: drillOf(body.backup?.drill),
      verify: body.backup?.verify === undefined ? backupDefault.verify : body.backup.verify,
      retainAfterDeleteDays: body.backup?.retainAfterDeleteDays ?? backupDefault.retainAfterDeleteDays,
      store: completeStore(body.backup?.store),
    },
    deletionProtection: body.deletionProtection ?? defaults.deletionProtection,
    tags: body.tags ?? {},
  };
}
