import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { Deadline } from "./deadline.ts";
import { NodeFailure } from "./failure.ts";

function listen(name: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(null);
      else reject(error);
    });
    // Abstract: no file that could be left behind; the kernel frees the name when the process ends, however it ends.
    server.listen(`\0pgherd-${name}`, () => resolve(server));
  });
}

/** Runs `body` while no other process of this node holds the lock of that name. */
export async function withLock<T>(name: string, waitMs: number, body: () => Promise<T>): Promise<T> {
  const address = createHash("sha256").update(name).digest("hex");
  const server = await new Deadline(waitMs).until(
    () => listen(address),
    () => new NodeFailure("the same command has been running on this node for too long", { code: "busy" }),
  );
  try {
    return await body();
  } finally {
    server.close();
  }
}
