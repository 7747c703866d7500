import {
  clusterIdSchema,
  clusterSchema,
  clusterSpecSchema,
  nodeIdSchema,
  nodeSchema,
  operationIdSchema,
  operationKindSchema,
  operationSchema,
} from "@pgherd/layers/domain";
import { named, z } from "@pgherd/layers/runtime/http";

/** The shapes of answers. Named ones are described once in the document. */

const spec = named("ClusterSpec", clusterSpecSchema);
const node = named("Node", nodeSchema);
const cluster = named("Cluster", clusterSchema.extend({ spec, nodes: z.array(node) }));
/** Any JSON: the document's generator does not know the recursive schema that the store checks it with. */
const jsonObject = z.record(z.string(), z.unknown()).optional();
const operation = named(
  "Operation",
  operationSchema.extend({
    request: jsonObject.meta({ description: "What the call asked for beside the cluster's spec." }),
    result: jsonObject.meta({ description: "What came of it, such as a measured pause." }),
  }),
);

export const clusterAnswer = cluster;
export const operationAnswer = operation;

export const clusterParams = z.object({ clusterId: clusterIdSchema });
export const nodeParams = z.object({ clusterId: clusterIdSchema, nodeId: nodeIdSchema });
export const operationParams = z.object({ operationId: operationIdSchema });

const list = <T extends z.ZodType>(item: T, id: string) =>
  named(id, z.object({ items: z.array(item), nextCursor: z.string().nullable() }));

export const clusterList = list(cluster, "ClusterList");
export const operationList = list(operation, "OperationList");

export const acceptedAnswer = named(
  "Accepted",
  z.object({ cluster, operation, warnings: z.array(z.string()) }),
);

export const cancelAnswer = named("CancelAccepted", z.object({ operation }));

/** One shape for every mutation, so that a client can show any of them. */
export const dryRunAnswer = named(
  "DryRun",
  z.object({
    dryRun: z.literal(true),
    kind: z.enum([...operationKindSchema.options, "cancel-operation"]),
    summary: z.string(),
    nodesPerZone: z.record(z.string(), z.int()).meta({ description: "Nodes that are made or removed." }),
    interrupts: z.array(z.string()).meta({ description: "What stops working, and for how long." }),
    warnings: z.array(z.string()),
    spec: spec.optional().meta({ description: "The spec with every default filled in." }),
    changes: z.array(z.string()).optional().meta({ description: "What would be done, in this order." }),
    preflight: z
      .looseObject({})
      .optional()
      .meta({ description: "What the nodes say about whether it can be done now." }),
  }),
);
export type DryRun = z.infer<typeof dryRunAnswer>;

const memberSchema = z.object({
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

export const topologyAnswer = named(
  "Topology",
  z.object({
    observedAt: z.iso.datetime().meta({ description: "At most two seconds ago." }),
    shards: z.array(
      z.object({
        shard: z.int(),
        scope: z.string(),
        leader: z.string().nullable(),
        timeline: z.int().nullable(),
        members: z.array(memberSchema),
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

const endpoint = named(
  "Endpoint",
  z.object({
    hosts: z.array(z.string()),
    port: z.int(),
    uri: z.string().meta({
      description:
        "For libpq: all nodes, the login of user `client`, `sslmode=verify-full`, no password. Point `sslrootcert` at a file with `caCertificate`.",
    }),
  }),
);

const user = z.object({
  name: z.string(),
  passwordParameter: z.string().meta({ description: "Name of a SecureString in Parameter Store." }),
  retiring: z
    .object({ name: z.string(), until: z.iso.datetime() })
    .nullable()
    .meta({ description: "The login before this one, as long as it is valid too." }),
});

export const connectionAnswer = named(
  "Connection",
  z.object({
    database: z.string(),
    caCertificate: z.string().meta({ description: "PEM" }),
    users: z.object({ admin: user, client: user }),
    endpoints: z.object({
      readWrite: endpoint,
      readOnly: endpoint,
      any: endpoint,
      // A union, because the document's generator writes a nullable named shape in a way that admits no null.
      pooled: z.union([endpoint, z.null()]).meta({ description: "Null where the spec has no pooler." }),
    }),
  }),
);

const event = named(
  "Event",
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

export const logList = named(
  "LogList",
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
