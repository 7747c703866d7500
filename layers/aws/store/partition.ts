import { paginateQuery } from "@aws-sdk/lib-dynamodb";
import type { Table } from "./client.ts";
import type { Item } from "./items.ts";

/** All items of a partition, however many answers it takes. */
export async function everything({ client, name }: Table, partition: string): Promise<Item[]> {
  const query = {
    TableName: name,
    ConsistentRead: true,
    KeyConditionExpression: "pk = :pk",
    ExpressionAttributeValues: { ":pk": partition },
  };
  const items: Item[] = [];
  for await (const { Items = [] } of paginateQuery({ client }, query)) items.push(...Items);
  return items;
}
