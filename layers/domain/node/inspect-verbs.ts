import { z } from "zod";
import { clusterIdSchema, nodeIdSchema } from "../ids.ts";
import { observationSchema } from "./observation.ts";

const bytes = z.int().min(0);

/** `inactive`: stopped, or still on its way up. `failed`: it fell over, though systemd may be about to try again. */
const unitStateSchema = z.enum(["active", "inactive", "failed"]);

/** What a node knows about itself. */
export const inspectionSchema = z.strictObject({
  /** Of the intent that the node was configured with last; null where it carried none. */
  revision: z.string().nullable(),
  services: z.record(z.string(), unitStateSchema),
  disk: z.strictObject({ totalBytes: bytes, usedBytes: bytes }),
  /** `ready`: segments that wait to be archived, on a leader alone; null where nothing waits. All zero on a node without PostgreSQL. */
  wal: z.strictObject({
    bytes,
    readyCount: z.int().min(0),
    oldestReadySeconds: z.number().min(0).nullable(),
    /** When the last segment that is archived was full; on a replica it says what the leader has sent. */
    archivedUntil: z.iso.datetime().nullable().default(null),
  }),
  /** Of clients, and how many there may be; null on a node without PostgreSQL, and while that does not answer. */
  connections: z
    .strictObject({ used: z.int().min(0), max: z.int().min(1) })
    .nullable()
    .default(null),
  certificateNotAfter: z.iso.datetime(),
  /** The node's clock. */
  nowMs: z.number(),
  /** What is not as `configure` left it: a file, or `patroni:/config` for what Patroni keeps in the DCS. */
  drift: z.array(z.strictObject({ path: z.string() })),
  /** null while Patroni does not answer, or does not run here. */
  patroniVersion: z.string().nullable(),
  /** Whether Patroni runs under the start wrapper. */
  wrapper: z.boolean(),
});
export type Inspection = z.infer<typeof inspectionSchema>;

/** How one node looks from another. null: the service does not belong there. */
const neighbourSchema = z.strictObject({
  nodeId: z.string(),
  patroni: z.boolean().nullable(),
  haproxy: z.boolean().nullable(),
  pgbouncer: z.boolean().nullable(),
});

const surveySchema = z.strictObject({
  observation: observationSchema,
  neighbours: z.array(neighbourSchema),
  self: inspectionSchema,
});
export type Survey = z.infer<typeof surveySchema>;

/** `bytes`: since the beginning of all WAL. It does not fit into JSON's numbers for ever. */
const walPositionSchema = z.strictObject({ timeline: z.int().min(1), bytes: z.string().regex(/^\d+$/) });
export type WalPosition = z.infer<typeof walPositionSchema>;

const target = z.strictObject({ clusterId: clusterIdSchema, nodeId: nodeIdSchema });

/** How a node is, and how its neighbours look from it; they change nothing. */
export const inspectVerbs = {
  inspect: { input: target, output: inspectionSchema },
  /** Topology, the neighbours' ports and the node itself in one command. */
  survey: { input: target, output: surveySchema },
  /** How far the node's copy of the data reaches; null where PostgreSQL does not answer. */
  "wal-position": { input: target, output: z.strictObject({ reached: walPositionSchema.nullable() }) },
} as const;
