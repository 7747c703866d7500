import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { ensureDynamoDbLocal } from "../../local/endpoints/dynamodb/fetch.ts";
import { startDynamoDb } from "../../local/endpoints/dynamodb/server.ts";

declare module "vitest" {
  interface ProvidedContext {
    dynamodbEndpoint: string;
  }
}

/** AWS's own DynamoDB Local, in memory: one for all tests of a kind, because a JVM is slow until it is warm. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cacheDirectory = process.env["PGHERD_CACHE_DIR"] ?? "/var/cache/pgherd";
  const libraryDirectory = await ensureDynamoDbLocal({ cacheDirectory });
  const logDirectory = await mkdtemp(join(tmpdir(), "pgherd-dynamodb-"));
  const port = await freePort();
  const logFile = join(logDirectory, "dynamodb.log");
  const child = await startDynamoDb({ libraryDirectory, port, dataDirectory: null, logFile });
  project.provide("dynamodbEndpoint", `http://127.0.0.1:${port}`);
  return async () => {
    await child.stop();
    await rm(logDirectory, { recursive: true, force: true });
  };
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
