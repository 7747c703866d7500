import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const pollMs = 100;

/**
 * Holds a machine-wide lock while `work` runs. The lock is a socket in Linux's abstract namespace: the kernel frees it
 * with the process, so that nothing is left behind by a crash.
 * @param busy what to say when someone else holds it beyond the deadline.
 */
export async function withLock<T>(
  name: string,
  options: { timeoutMs: number; busy: string },
  work: () => Promise<T>,
): Promise<T> {
  const path = `\0pgherd-${createHash("sha256").update(name).digest("hex").slice(0, 32)}`;
  const deadline = Date.now() + options.timeoutMs;
  const server = createServer();
  while (!(await tryListen(server, path))) {
    if (Date.now() > deadline) throw new Error(options.busy);
    await delay(pollMs);
  }
  try {
    return await work();
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

function tryListen(server: ReturnType<typeof createServer>, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      server.off("listening", onListening);
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    };
    const onListening = () => {
      server.off("error", onError);
      resolve(true);
    };
    server.once("error", onError);
    server.once("listening", onListening);
    server.listen(path);
  });
}
