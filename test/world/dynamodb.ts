import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  type GlobalSecondaryIndex,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";
import { ensureDynamoDbLocal } from "../../local/endpoints/dynamodb/fetch.ts";
import { startDynamoDb } from "../../local/endpoints/dynamodb/server.ts";

export interface DynamoDB extends AsyncDisposable {
  readonly config: DynamoDBClientConfig;
  /** A table of the product's shape and a name of its own. */
  createTable(): Promise<string>;
  /** Every item of the table, for comparing before and after. */
  scan(table: string): Promise<unknown[]>;
}

/** AWS's own DynamoDB Local, in memory, gone with the returned value or with this process. */
export async function startDynamoDB(): Promise<DynamoDB> {
  const cacheDirectory = process.env["PGHERD_CACHE_DIR"] ?? "/var/cache/pgherd";
  const libraryDirectory = await ensureDynamoDbLocal({ cacheDirectory });
  const logDirectory = await mkdtemp(join(tmpdir(), "pgherd-dynamodb-"));
  const port = await freePort();
  const child = await startDynamoDb({
    libraryDirectory,
    port,
    dataDirectory: null,
    logFile: join(logDirectory, "dynamodb.log"),
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const config: DynamoDBClientConfig = {
    endpoint,
    region: "local-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  };
  const client = new DynamoDBClient(config);
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
      await child.stop();
      await rm(logDirectory, { recursive: true, force: true });
    },
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
