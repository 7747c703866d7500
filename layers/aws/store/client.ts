import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

/** DynamoDB answers in milliseconds; a connection that takes longer than this will not come. */
const connectionTimeoutMs = 1_000;
/** A transaction of fifteen items takes tens of milliseconds; three tries of this fit into an API call. */
const requestTimeoutMs = 3_000;
const attemptsMax = 3;

/** Everything that the store's parts share: the client and the table they work on. */
export interface Table {
  readonly client: DynamoDBDocumentClient;
  readonly name: string;
}

export function openTable(name: string, config: DynamoDBClientConfig = {}): Table {
  const client = new DynamoDBClient({
    maxAttempts: attemptsMax,
    requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
    ...config,
  });
  return {
    name,
    client: DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } }),
  };
}
