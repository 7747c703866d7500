import { BatchGetCommand, type BatchGetCommandOutput } from "@aws-sdk/lib-dynamodb";
import type { Table } from "./client.ts";
import type { Item } from "./items.ts";
import type { Key } from "./keys.ts";

/** DynamoDB's own limit for one BatchGetItem. */
const batchSize = 100;
/** BatchGetItem may answer a part only; more rounds than this mean that the table is overloaded. */
const batchRoundsMax = 10;

/** Items by their keys, which are all different, in any order; those that are not there are left out. */
export async function itemsOf(
  table: Table,
  keys: readonly Key[],
  { isConsistent }: { readonly isConsistent: boolean },
): Promise<Item[]> {
  const batches = Array.from({ length: Math.ceil(keys.length / batchSize) }, (_, index) =>
    keys.slice(index * batchSize, (index + 1) * batchSize),
  );
  return (await Promise.all(batches.map((batch) => batchGet(table, batch, isConsistent)))).flat();
}

async function batchGet(table: Table, batch: readonly Key[], isConsistent: boolean): Promise<Item[]> {
  const items: Item[] = [];
  let keys: NonNullable<BatchGetCommandOutput["UnprocessedKeys"]>[string]["Keys"] = [...batch];
  for (let round = 0; round < batchRoundsMax && keys !== undefined && keys.length > 0; round++) {
    const answer: BatchGetCommandOutput = await table.client.send(
      new BatchGetCommand({ RequestItems: { [table.name]: { Keys: keys, ConsistentRead: isConsistent } } }),
    );
    items.push(...(answer.Responses?.[table.name] ?? []));
    keys = answer.UnprocessedKeys?.[table.name]?.Keys;
  }
  if (keys !== undefined && keys.length > 0) {
    throw new Error(`DynamoDB left ${keys.length} items unread after ${batchRoundsMax} rounds`);
  }
  return items;
}
