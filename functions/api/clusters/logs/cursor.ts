import { clusterIdSchema, logComponentSchema, nodeIdSchema, Problem } from "@pgherd/layers/domain";
import { z } from "@pgherd/layers/runtime/http";

/** Where each node's journal goes on; a node without a position goes on at the time. */
const positionSchema = z.strictObject({
  clusterId: clusterIdSchema,
  component: logComponentSchema,
  since: z.iso.datetime(),
  after: z.record(nodeIdSchema, z.string().regex(/^[a-z0-9=;-]{1,512}$/)),
});
export type Position = z.infer<typeof positionSchema>;

export function encodePosition(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** @throws {Problem} `invalid-request` for anything but a cursor of the same component's logs of the same cluster */
export function decodePosition(cursor: string, of: Pick<Position, "clusterId" | "component">): Position {
  const position = positionSchema.safeParse(parsed(Buffer.from(cursor, "base64url").toString("utf8")));
  const isOurs =
    position.success && position.data.clusterId === of.clusterId && position.data.component === of.component;
  if (isOurs) return position.data;
  throw new Problem("invalid-request", "The cursor is not one of these logs.", {
    errors: [
      {
        path: "cursor",
        message: "must be the nextCursor or followCursor of an answer for the same cluster and component",
      },
    ],
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
