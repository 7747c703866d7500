import { paginateQuery } from "@aws-sdk/lib-dynamodb";
import { onAllPages } from "../pages.ts";
import type { Table } from "./client.ts";
import type { Item } from "./items.ts";

/** All items of a partition, however many answers it takes. */
export function everything({ client, name }: Table, partition: string): Promise<Item[]> {
  const query = {
    TableName: name,
    ConsistentRead: true,
    KeyConditionExpression: "pk = :pk",
    ExpressionAttributeValues: { ":pk": partition },
  };
  return onAllPages(paginateQuery({ client }, query), ({ Items }) => Items);
}
