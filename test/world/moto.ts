import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ensurePythonPackages } from "./python-program.ts";

/** It loads a hundred services; two busy cores take their time. */
const startTimeoutMs = 120_000;
const lookMs = 200;

export interface Moto extends AsyncDisposable {
  /** For an SDK client. */
  readonly config: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
}

/** AWS's APIs as others have understood them, in a process of its own. */
export async function startMoto(): Promise<Moto> {
  const programs = await ensurePythonPackages({
    name: "moto",
    requirements: join(import.meta.dirname, "moto-requirements.txt"),
  });
  const port = await freePort();
  const child = spawn(
    join(programs, "python"),
    ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
    {
      stdio: "ignore",
    },
  );
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await answering(child, endpoint);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  return {
    config: {
      endpoint,
      region: "eu-central-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

async function answering(child: ChildProcess, endpoint: string): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`moto ended with ${child.exitCode}`);
    const answer = await fetch(`${endpoint}/moto-api/data.json`).catch(() => null);
    if (answer?.ok === true) return;
    if (Date.now() > deadline) throw new Error(`moto did not answer within ${startTimeoutMs} ms`);
    await delay(lookMs);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") reject(new Error("no port"));
        else resolve(address.port);
      });
    });
  });
}
