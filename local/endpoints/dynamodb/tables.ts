import { setTimeout as delay } from "node:timers/promises";
import { isObject } from "../input.ts";

/** Properties of `AWS::DynamoDB::Table` with every intrinsic resolved. */
export type TableProperties = Readonly<Record<string, unknown>>;

/** Of the template's properties these make the table; the rest (tags, encryption, backups) has no meaning here. */
const createProperties = [
  "AttributeDefinitions",
  "KeySchema",
  "GlobalSecondaryIndexes",
  "LocalSecondaryIndexes",
  "BillingMode",
  "ProvisionedThroughput",
] as const;

const readyPollMs = 50;
const readyTimeoutMs = 30_000;

/** Makes the tables of a template in DynamoDB Local. */
export class DynamoDbTables {
  readonly #endpoint: string;
  readonly #region: string;

  constructor(options: { endpoint: string; region: string }) {
    this.#endpoint = options.endpoint;
    this.#region = options.region;
  }

  /** Creates the table or adds the indexes that it lacks. Items are never touched. */
  async ensureTable(tableName: string, properties: TableProperties): Promise<void> {
    const existing = await this.#describe(tableName);
    if (existing === null) await this.#create(tableName, properties);
    else await this.#addIndexes(tableName, properties, existing);
    await this.#awaitActive(tableName);
    await this.#ensureTimeToLive(tableName, properties);
  }

  async deleteTable(tableName: string): Promise<void> {
    if ((await this.#describe(tableName)) !== null) await this.#call("DeleteTable", { TableName: tableName });
  }

  async #create(tableName: string, properties: TableProperties): Promise<void> {
    const picked = createProperties.flatMap((name) =>
      properties[name] === undefined ? [] : [[name, properties[name]] as const],
    );
    await this.#call("CreateTable", { TableName: tableName, ...Object.fromEntries(picked) });
  }

  async #addIndexes(
    tableName: string,
    properties: TableProperties,
    existing: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const present = new Set(namesOf(existing["GlobalSecondaryIndexes"]));
    const wanted = Array.isArray(properties["GlobalSecondaryIndexes"])
      ? properties["GlobalSecondaryIndexes"].filter(isObject)
      : [];
    for (const index of wanted) {
      if (present.has(String(index["IndexName"]))) continue;
      await this.#call("UpdateTable", {
        TableName: tableName,
        AttributeDefinitions: properties["AttributeDefinitions"],
        GlobalSecondaryIndexUpdates: [{ Create: index }],
      });
      // One index at a time, as DynamoDB has it.
      await this.#awaitActive(tableName);
    }
  }

  async #ensureTimeToLive(tableName: string, properties: TableProperties): Promise<void> {
    const wanted = properties["TimeToLiveSpecification"];
    if (!isObject(wanted) || String(wanted["Enabled"]) !== "true") return;
    const described = await this.#call("DescribeTimeToLive", { TableName: tableName });
    const present = described["TimeToLiveDescription"];
    if (isObject(present) && present["TimeToLiveStatus"] === "ENABLED") return;
    await this.#call("UpdateTimeToLive", {
      TableName: tableName,
      TimeToLiveSpecification: { AttributeName: wanted["AttributeName"], Enabled: true },
    });
  }

  async #awaitActive(tableName: string): Promise<void> {
    const deadline = Date.now() + readyTimeoutMs;
    for (;;) {
      const table = await this.#describe(tableName);
      const indexes = table?.["GlobalSecondaryIndexes"];
      const indexesReady =
        !Array.isArray(indexes) ||
        indexes.every((index) => isObject(index) && index["IndexStatus"] === "ACTIVE");
      if (table?.["TableStatus"] === "ACTIVE" && indexesReady) return;
      if (Date.now() > deadline) {
        throw new Error(`table ${tableName} is not active after ${readyTimeoutMs} ms`);
      }
      await delay(readyPollMs);
    }
  }

  async #describe(tableName: string): Promise<Readonly<Record<string, unknown>> | null> {
    try {
      const answer = await this.#call("DescribeTable", { TableName: tableName });
      return isObject(answer["Table"]) ? answer["Table"] : null;
    } catch (error) {
      if (error instanceof DynamoDbError && error.code === "ResourceNotFoundException") return null;
      throw error;
    }
  }

  /** DynamoDB Local checks that a request names credentials and not whether they are right. */
  async #call(action: string, input: unknown): Promise<Readonly<Record<string, unknown>>> {
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
    const response = await fetch(this.#endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": `DynamoDB_20120810.${action}`,
        "x-amz-date": date,
        authorization: `AWS4-HMAC-SHA256 Credential=pgherd/${date.slice(0, 8)}/${this.#region}/dynamodb/aws4_request, SignedHeaders=host, Signature=0`,
      },
      body: JSON.stringify(input),
      signal: AbortSignal.timeout(readyTimeoutMs),
    });
    const body: unknown = await response.json();
    const answer = isObject(body) ? body : {};
    if (response.ok) return answer;
    const code =
      String(answer["__type"] ?? "")
        .split("#")
        .at(-1) ?? "";
    throw new DynamoDbError(
      code,
      `${action}: ${code}: ${String(answer["message"] ?? answer["Message"] ?? "")}`,
    );
  }
}

class DynamoDbError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

function namesOf(indexes: unknown): readonly string[] {
  return Array.isArray(indexes) ? indexes.filter(isObject).map((index) => String(index["IndexName"])) : [];
}
