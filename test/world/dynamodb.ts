import { randomUUID } from "node:crypto";
import {
  CreateTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  type GlobalSecondaryIndex,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";
import { afterAll, inject } from "vitest";

export interface DynamoDB extends AsyncDisposable {
  readonly config: DynamoDBClientConfig;
  /** A table of the product's shape and a name of its own. */
  createTable(): Promise<string>;
  /** Every item of the table, for comparing before and after. */
  scan(table: string): Promise<unknown[]>;
}

/** A table of the product's shape. */
export async function createTable(config: DynamoDBClientConfig, name: string): Promise<void> {
  const client = new DynamoDBClient(config);
  await client.send(tableOf(name));
  client.destroy();
}

/** The one that dynamodb-setup.ts started. */
export function openDynamoDB(): DynamoDB {
  const config: DynamoDBClientConfig = {
    endpoint: inject("dynamodbEndpoint"),
    region: "local-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  };
  const client = new DynamoDBClient(config);
  return {
    // All stores share one client's connections.
    config: { ...config, requestHandler: client.config.requestHandler },
    createTable: async () => {
      const name = `test-${randomUUID()}`;
      await client.send(tableOf(name));
      return name;
    },
    scan: async (table) => {
      const answer = await client.send(new ScanCommand({ TableName: table }));
      return (answer.Items ?? []).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    },
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

/** For all tests of the file that calls it. */
export function useDynamoDB(): DynamoDB {
  const dynamodb = openDynamoDB();
  afterAll(() => dynamodb[Symbol.asyncDispose]());
  return dynamodb;
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
