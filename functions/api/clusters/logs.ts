import {
  type ClusterLogLine,
  logComponentSchema,
  logLinesMax,
  mergeLogs,
  mergeTails,
  Problem,
} from "@pgherd/layers/domain";
import { defineRoute, noBody, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams, logList } from "../schemas.ts";
import { findCluster } from "./find.ts";
import { askNodes, chooseNodes } from "./logs/ask.ts";
import { decodePosition, encodePosition, type Position } from "./logs/cursor.ts";

const limitDefault = 100;
const limitMessage = `must be a whole number from 1 to ${logLinesMax}`;
/** A journal's position takes some 150 characters, and a cluster has at most some twenty nodes. */
const cursorCharactersMax = 8_000;

const query = z.strictObject({
  component: logComponentSchema.meta({ description: "Whose log." }),
  nodeId: z.string().max(64).optional().meta({ description: "One node's. Default: all nodes', by time." }),
  since: z.iso
    .datetime({ offset: true, message: "must be a time such as 2026-01-31T12:00:00Z" })
    .optional()
    .meta({ description: "Lines from then on, oldest first. Default: the last lines." }),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, limitMessage)
    .transform(Number)
    .refine((limit) => limit <= logLinesMax, limitMessage)
    .default(limitDefault)
    .meta({
      description: "How many lines an answer has at most; fewer where they are long.",
      type: "integer",
      minimum: 1,
      maximum: logLinesMax,
      default: limitDefault,
      pattern: undefined,
    }),
  cursor: z
    .string()
    .max(cursorCharactersMax)
    .regex(/^[\w-]+$/, "must be a nextCursor or followCursor")
    .optional()
    .meta({ description: "`nextCursor` or `followCursor` of an answer for the same component." }),
});

const microsPerMilli = 1000;

export function getLogs(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/clusters/{clusterId}/logs",
      operationId: "getLogs",
      tag: "clusters",
      summary: "Read a component's log",
      description:
        "Lines from the nodes' journals, oldest first, merged by time; what PostgreSQL writes over several lines is one. Passwords and verifiers are taken out. `followCursor` asks for what comes after, also when nothing has come yet. A node that does not answer is named in `unreachable`.",
      role: "operator",
      isMutation: false,
      params: clusterParams,
      query,
      body: noBody,
      responses: { 200: { description: "Lines.", schema: logList } },
      problems: ["not-found", "wrong-status", "cluster-unreachable"],
    },
    async ({ params, query: { component, nodeId, since, limit, cursor } }) => {
      const cluster = await findCluster(context, params.clusterId);
      if (since !== undefined && cursor !== undefined) refuseBoth();
      const base = { clusterId: cluster.id, component };
      const now = new Date().toISOString();
      const from: Position | null =
        cursor !== undefined
          ? decodePosition(cursor, base)
          : since !== undefined
            ? { ...base, since: new Date(since).toISOString(), after: {} }
            : null;
      const nodes = chooseNodes(cluster, component, nodeId);
      const question = { component, limit, since: from?.since ?? null, after: from?.after ?? {} };
      const { logs, unreachable } = await askNodes(context, cluster, nodes, question);
      const { lines, isMore } =
        from === null ? { lines: mergeTails(logs, limit), isMore: false } : mergeLogs(logs, limit);
      const position = {
        ...(from ?? { ...base, since: now, after: {} }),
        after: { ...from?.after, ...lastCursors(lines) },
      };
      const follow = encodePosition(position);
      const items = lines.map(itemOf);
      return {
        status: 200,
        body: { items, nextCursor: isMore ? follow : null, followCursor: follow, unreachable },
      };
    },
  );
}

function refuseBoth(): never {
  throw new Problem("invalid-request", "A cursor says from where on by itself.", {
    errors: [{ path: "since", message: "must not be given together with cursor" }],
  });
}

function lastCursors(lines: readonly ClusterLogLine[]): Record<string, string> {
  return Object.fromEntries(lines.map((line) => [line.nodeId, line.cursor]));
}

const itemOf = ({ nodeId, micros, priority, message }: ClusterLogLine) => ({
  time: new Date(micros / microsPerMilli).toISOString(),
  nodeId,
  priority,
  message,
});
