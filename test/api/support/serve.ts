import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { z } from "zod";
import type { Reply, World } from "./world.ts";

/** Operations that make clusters of machines, which there are none of. */
const makingMachines: readonly string[] = ["create-cluster", "restore-cluster", "undelete-cluster"];

/** What lets a caller in; the gateway's work, which is done here. */
export const bearer = "Bearer somebody";

export interface Served extends AsyncDisposable {
  readonly url: string;
  /** Calls that were answered, by status. */
  readonly answers: Map<number, number>;
  /** Answers that the document does not describe, and calls that could not be answered. */
  readonly defects: unknown[];
}

/**
 * A world behind HTTP, for programs that speak nothing else. What a call starts has ended by the time that it is
 * answered, so that the next one finds the cluster free.
 */
export async function serve(world: World): Promise<Served> {
  const answers = new Map<number, number>();
  const defects: unknown[] = [];
  const server = createServer(async (request, response) => {
    try {
      const { status, headers, text } = await carryOut(world, request);
      answers.set(status, (answers.get(status) ?? 0) + 1);
      response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : text);
    } catch (error) {
      defects.push(error);
      response.writeHead(500).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    answers,
    defects,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function carryOut(world: World, request: IncomingMessage): Promise<Reply> {
  const text = (await buffer(request)).toString("utf8");
  const [path = "", ...query] = (request.url ?? "/").split("?");
  const reply = await world.call(request.method ?? "GET", [path, query.join("%3F")].join("?"), {
    role: request.headers.authorization === bearer ? "admin" : null,
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(",")]),
    ),
    ...(text === "" ? {} : { text }),
  });
  await endOperation(world, reply);
  return reply;
}

const startedSchema = z.object({
  operation: z.object({ id: z.string(), kind: z.string(), clusterId: z.string() }),
});

async function endOperation({ store }: World, { status, body }: Reply): Promise<void> {
  const started = startedSchema.safeParse(body);
  if (status !== 202 || !started.success) return;
  const { id, kind, clusterId } = started.data.operation;
  const endedAt = new Date().toISOString();
  if (makingMachines.includes(kind)) {
    const error = { code: "no-machines", message: "There are no machines here." };
    await store.endOperation(id, { state: "failed", error, endedAt });
    await store.removeCluster(clusterId);
    return;
  }
  const cluster = { status: "available", statusReason: "Every member runs." } as const;
  await store.endOperation(id, { state: "succeeded", endedAt, cluster });
}
