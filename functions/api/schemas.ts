import {
  backupIdSchema,
  backupSchema,
  clusterIdSchema,
  clusterSchema,
  clusterSpecSchema,
  eachTimer,
  nodeIdSchema,
  nodeSchema,
  operationIdSchema,
  operationKindSchema,
  operationSchema,
  restorePointSchema,
  restoreWindowSchema,
} from "@pgherd/layers/domain";
import { type AnswerSchema, answerSchema, z } from "@pgherd/layers/runtime/http";

/** The shapes of answers, each made when the document first is. Named ones are described once in the document. */

const spec = answerSchema("ClusterSpec", () => clusterSpecSchema);
const node = answerSchema("Node", () => nodeSchema);
const schedule = () =>
  z
    .object({
      cron: z.string(),
      since: z.iso.datetime(),
      next: z
        .array(z.iso.datetime())
        .optional()
        .meta({ description: "The next three times, in the answer of `GET /v1/clusters/{clusterId}`." }),
    })
    .nullable();
const cluster = answerSchema("Cluster", () =>
  clusterSchema.extend({
    spec: spec(),
    nodes: z.array(node()),
    drillOf: clusterSchema.shape.drillOf.meta({
      description:
        "The backup that this cluster was made to prove: the drill removes it again, and nothing else can be done with it. Null: it is somebody's own.",
    }),
    lastDrill: clusterSchema.shape.lastDrill.meta({
      description: "What came of the last backup of this cluster that was restored to prove it.",
    }),
    measuredRecovery: clusterSchema.shape.measuredRecovery.meta({
      description:
        "The measured recovery time: how long the last drill that succeeded took from its call to a PostgreSQL with the data that leads (`restoreSeconds`), and how much that was.",
    }),
    lastVerification: clusterSchema.shape.lastVerification.meta({
      description:
        "What was found when everything that is stored of the cluster was read last (`backup.verify`): how many backups and WAL segments, and what is wrong with them.",
    }),
    schedules: z.object(eachTimer(schedule)).nullable().meta({
      description:
        "What happens by itself: backups that are taken, and what proves them (`drill`, `verify`). Cron in UTC. Null until the cluster is made.",
    }),
  }),
);
/** Any JSON: the document's generator does not know the recursive schema that the store checks it with. */
const jsonObject = () => z.record(z.string(), z.unknown()).optional();
const operation = answerSchema("Operation", () =>
  operationSchema.extend({
    request: jsonObject().meta({ description: "What the call asked for beside the cluster's spec." }),
    result: jsonObject().meta({ description: "What came of it, such as a measured pause." }),
  }),
);

export const clusterAnswer = cluster;
export const operationAnswer = operation;

export const clusterParams = z.object({ clusterId: clusterIdSchema });
export const nodeParams = z.object({ clusterId: clusterIdSchema, nodeId: nodeIdSchema });
export const backupParams = z.object({ clusterId: clusterIdSchema, backupId: backupIdSchema });
export const restoreParams = z.object({ clusterId: clusterIdSchema, operationId: operationIdSchema });
export const operationParams = z.object({ operationId: operationIdSchema });

const list = <T extends z.ZodType>(item: AnswerSchema<T>, id: string) =>
  answerSchema(id, () => z.object({ items: z.array(item()), nextCursor: z.string().nullable() }));

export const clusterList = list(cluster, "ClusterList");
export const operationList = list(operation, "OperationList");

export const acceptedAnswer = answerSchema("Accepted", () =>
  z.object({ cluster: cluster(), operation: operation(), warnings: z.array(z.string()) }),
);

const backup = answerSchema("Backup", () =>
  backupSchema.extend({
    endedAt: backupSchema.shape.endedAt.meta({
      description:
        "A restore reaches every moment from here on for which there is WAL; one of a logical backup has what there was when it began.",
    }),
    sizeBytes: backupSchema.shape.sizeBytes.meta({ description: "What a restore writes." }),
    repositoryBytes: backupSchema.shape.repositoryBytes.meta({
      description: "What it added to the repository, compressed and encrypted.",
    }),
    references: backupSchema.shape.references.meta({
      description: "Labels of the backups without which it cannot be restored.",
    }),
    logical: z
      .union([z.object({ postgresVersion: z.string(), databases: z.array(z.string()) }), z.null()])
      .meta({ description: "What a logical one holds, once it has succeeded." }),
    progress: z
      .union([z.object({ bytesDone: z.int(), bytesTotal: z.int() }), z.null()])
      .meta({ description: "While it runs." }),
    error: z.union([z.object({ code: z.string(), message: z.string() }), z.null()]),
    lastDrill: backupSchema.shape.lastDrill.meta({
      description:
        "What came of restoring it, the last time: how long that took (`restoreSeconds`), and what was found in the data (`checks`).",
    }),
  }),
);
export const backupAnswer = backup;
export const backupList = answerSchema("BackupList", () =>
  z.object({
    items: z.array(backup()),
    nextCursor: z.string().nullable(),
    restoreWindow: z
      .union([restoreWindowSchema, z.null()])
      .meta({ description: "Null as long as there is no backup." }),
    keptUntil: z
      .union([z.iso.datetime(), z.null()])
      .meta({ description: "Until when they are kept. Null while their cluster is there." }),
  }),
);
export const backupCatalogue = answerSchema("BackupCatalogue", () =>
  z.object({
    items: z.array(
      z.object({
        ...backup().shape,
        clusterName: z.string().nullable().meta({ description: "Null where nobody knows it any more." }),
        keptUntil: z
          .union([z.iso.datetime(), z.null()])
          .meta({ description: "Until when it is kept. Null while its cluster is there." }),
      }),
    ),
    nextCursor: z.string().nullable(),
  }),
);
const restorePoint = answerSchema("RestorePoint", () =>
  restorePointSchema.extend({
    state: restorePointSchema.shape.state.meta({
      description:
        "`uncertain`: PostgreSQL was told, and nobody knows whether it made it. Only what has `succeeded` can be restored to.",
    }),
    at: z
      .union([z.iso.datetime(), z.null()])
      .meta({ description: "When PostgreSQL made it, by its own clock." }),
  }),
);
export const restorePointList = list(restorePoint, "RestorePointList");
export const restorePointAcceptedAnswer = answerSchema("RestorePointAccepted", () =>
  z.object({ restorePoint: restorePoint(), operation: operation(), warnings: z.array(z.string()) }),
);
export const backupAcceptedAnswer = answerSchema("BackupAccepted", () =>
  z.object({ backup: backup(), operation: operation(), warnings: z.array(z.string()) }),
);

export const cancelAnswer = answerSchema("CancelAccepted", () => z.object({ operation: operation() }));

/** One shape for every mutation, so that a client can show any of them. */
export const dryRunAnswer = answerSchema("DryRun", () =>
  z.object({
    dryRun: z.literal(true),
    kind: z.enum([...operationKindSchema.options, "cancel-operation"]),
    summary: z.string(),
    nodesPerZone: z.record(z.string(), z.int()).meta({ description: "Nodes that are made or removed." }),
    interrupts: z.array(z.string()).meta({ description: "What stops working, and for how long." }),
    warnings: z.array(z.string()),
    spec: spec().optional().meta({ description: "The spec with every default filled in." }),
    changes: z.array(z.string()).optional().meta({ description: "What would be done, in this order." }),
    preflight: z
      .looseObject({})
      .optional()
      .meta({ description: "What the nodes say about whether it can be done now." }),
  }),
);
export type DryRun = z.infer<ReturnType<typeof dryRunAnswer>>;

const member = () =>
  z.object({
    nodeId: z.string(),
    address: z.string().nullable(),
    zone: z.string(),
    role: z.enum(["leader", "sync-standby", "replica"]),
    state: z.string().meta({
      description:
        "Patroni's word, such as `running` or `streaming`; `unreachable` where no node sees the member.",
    }),
    timeline: z.int().nullable(),
    lagBytes: z.int().nullable(),
    pendingRestart: z.boolean(),
  });

export const topologyAnswer = answerSchema("Topology", () =>
  z.object({
    observedAt: z.iso.datetime().meta({ description: "At most two seconds ago." }),
    shards: z.array(
      z.object({
        shard: z.int(),
        scope: z.string(),
        leader: z.string().nullable(),
        timeline: z.int().nullable(),
        members: z.array(member()),
      }),
    ),
    dcs: z.object({
      quorum: z.boolean(),
      members: z.array(
        z.object({
          nodeId: z.string(),
          address: z.string().nullable(),
          healthy: z.boolean(),
          leader: z.boolean(),
        }),
      ),
    }),
  }),
);

const endpoint = answerSchema("Endpoint", () =>
  z.object({
    hosts: z.array(z.string()),
    port: z.int(),
    uri: z.string().meta({
      description:
        "For libpq: all nodes, the login of user `client`, `sslmode=verify-full`, no password. Point `sslrootcert` at a file with `caCertificate`.",
    }),
  }),
);

const user = () =>
  z.object({
    name: z.string(),
    passwordParameter: z.string().meta({ description: "Name of a SecureString in Parameter Store." }),
    retiring: z
      .object({ name: z.string(), until: z.iso.datetime() })
      .nullable()
      .meta({ description: "The login before this one, as long as it is valid too." }),
  });

export const connectionAnswer = answerSchema("Connection", () =>
  z.object({
    database: z.string(),
    caCertificate: z.string().meta({ description: "PEM" }),
    users: z.object({ admin: user(), client: user() }),
    endpoints: z.object({
      readWrite: endpoint(),
      readOnly: endpoint(),
      any: endpoint(),
      // A union, because the document's generator writes a nullable named shape in a way that admits no null.
      pooled: z.union([endpoint(), z.null()]).meta({ description: "Null where the spec has no pooler." }),
    }),
  }),
);

const event = answerSchema("Event", () =>
  z.object({
    id: z.string(),
    clusterId: z.string(),
    at: z.iso.datetime(),
    action: z.string(),
    principal: z.string(),
    role: z.string(),
    sourceAddress: z.string(),
    requestId: z.string(),
    operationId: z.string().nullable(),
    detail: z.string(),
  }),
);

export const logList = answerSchema("LogList", () =>
  z.object({
    items: z.array(
      z.object({
        time: z.iso.datetime(),
        nodeId: z.string(),
        priority: z.int().meta({ description: "syslog's: 0 emergency … 7 debug." }),
        message: z.string(),
      }),
    ),
    nextCursor: z.string().nullable().meta({ description: "There are more lines already." }),
    followCursor: z.string().meta({ description: "Asks for whatever comes after these lines." }),
    unreachable: z.array(z.string()).meta({ description: "Nodes that did not answer." }),
  }),
);

export const eventList = list(event, "EventList");
