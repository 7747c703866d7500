import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  CreateTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  type GlobalSecondaryIndex,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";

/** A JVM on two busy cores; it takes two seconds on idle ones. */
const startTimeoutMs = 30_000;
const pollMs = 50;

/** DynamoDB Local holds a test's tables in memory; this bounds its heap on a small machine. */
const heapMiB = 192;

export interface DynamoDB extends AsyncDisposable {
  readonly config: DynamoDBClientConfig;
  /** A table of the product's shape and a name of its own. */
  createTable(): Promise<string>;
  /** Every item of the table, for comparing before and after. */
  scan(table: string): Promise<unknown[]>;
}

/** AWS's own DynamoDB Local, in memory, gone with the returned value. */
export async function startDynamoDB(): Promise<DynamoDB> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = launch(process.env["DDBJARS"] ?? "", port);
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const config: DynamoDBClientConfig = {
    endpoint,
    region: "local-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  };
  const client = new DynamoDBClient(config);
  try {
    await awaitAnswer(endpoint, child);
  } catch (error) {
    kill();
    throw error;
  }
  let tables = 0;
  return {
    config,
    createTable: async () => {
      tables += 1;
      const name = `test-${tables}`;
      await client.send(tableOf(name));
      return name;
    },
    scan: async (table) => {
      const answer = await client.send(new ScanCommand({ TableName: table }));
      return (answer.Items ?? []).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      process.off("exit", kill);
      kill();
    },
  };
}

function launch(jarDirectory: string, port: number): ChildProcess {
  if (!existsSync(jarDirectory)) throw new Error(`DynamoDB Local is not in ${jarDirectory}`);
  return spawn(
    "java",
    [
      `-Xmx${heapMiB}m`,
      "-XX:TieredStopAtLevel=1",
      `-Djava.library.path=${jarDirectory}`,
      "-cp",
      join(jarDirectory, "*"),
      "software.amazon.dynamodb.services.local.main.ServerRunner",
      "-inMemory",
      "-sharedDb",
      "-disableTelemetry",
      "-port",
      String(port),
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
}

async function awaitAnswer(endpoint: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  let complaint = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`DynamoDB Local ended at its start: ${complaint}`);
    if (await answers(endpoint)) return;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(`DynamoDB Local did not answer within ${startTimeoutMs} ms: ${complaint}`);
}

/** Any HTTP answer will do: an unsigned request gets a 400. */
async function answers(endpoint: string): Promise<boolean> {
  try {
    await fetch(endpoint);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
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

function tableOf(name: string): CreateTableCommand {
  const index = (indexName: string): GlobalSecondaryIndex => ({
    IndexName: indexName,
    KeySchema: [
      { AttributeName: `${indexName}pk`, KeyType: "HASH" },
      { AttributeName: `${indexName}sk`, KeyType: "RANGE" },
    ],
    Projection: { ProjectionType: "ALL" },
  });
  return new CreateTableCommand({
    TableName: name,
    BillingMode: "PAY_PER_REQUEST",
    KeySchema: [
      { AttributeName: "pk", KeyType: "HASH" },
      { AttributeName: "sk", KeyType: "RANGE" },
    ],
    AttributeDefinitions: ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"].map((attribute) => ({
      AttributeName: attribute,
      AttributeType: "S",
    })),
    GlobalSecondaryIndexes: [index("gsi1"), index("gsi2")],
  });
}
