import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { z } from "zod";

/** How often each action of AWS was called, and what DynamoDB charges for. */
export class Calls {
  readonly #counts = new Map<string, number>();
  readUnits = 0;
  writeUnits = 0;

  count(action: string, times = 1): void {
    this.#counts.set(action, (this.#counts.get(action) ?? 0) + times);
  }

  get all(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].toSorted());
  }
}

const readBytes = 4096;
const writeBytes = 1024;
/** In a transaction each unit counts twice. */
const transactedShare = 2;
const writes: readonly string[] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];

const bodySchema = z.looseObject({ ConsistentRead: z.boolean().default(false) });

/**
 * Counts on the wire. Units are those of the whole request or answer in DynamoDB's JSON, which is up to half more than
 * what DynamoDB counts.
 */
export function countingConfig(config: DynamoDBClientConfig, calls: Calls): DynamoDBClientConfig {
  const { requestHandler } = new DynamoDBClient(config).config;
  const handle = requestHandler.handle.bind(requestHandler);
  const counting: typeof handle = async (request, options) => {
    const answer = await handle(request, options);
    const action = (request.headers["x-amz-target"] ?? "").split(".").at(-1) ?? "";
    const body = String(request.body);
    calls.count(`dynamodb:${action}`);
    if (writes.includes(action)) {
      const units = Math.ceil(body.length / writeBytes);
      calls.writeUnits += action === "TransactWriteItems" ? units * transactedShare : units;
      return answer;
    }
    const length = answer.response.headers["content-length"];
    if (length === undefined) throw new Error(`DynamoDB does not say how long its answer to ${action} is`);
    const units = Math.max(1, Math.ceil(Number(length) / readBytes));
    calls.readUnits += bodySchema.parse(JSON.parse(body)).ConsistentRead ? units : units / 2;
    return answer;
  };
  return { ...config, requestHandler: Object.assign(requestHandler, { handle: counting }) };
}
