import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import type { Page } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import type { Item } from "./items.ts";
import type { indexNames } from "./keys.ts";

interface List<T> {
  /** What cursors of this list carry. */
  readonly name: string;
  readonly partition: string;
  /** Null: the table itself, which is read consistently, as no index can be. */
  readonly index: (typeof indexNames)[keyof typeof indexNames] | null;
  /** Of the sort keys. */
  readonly pattern: RegExp;
  readonly read: (item: Item) => T;
  /** The sort key of what was read. */
  readonly keyOf: (found: T) => string;
}

/** A page of a list, newest first. @throws {Problem} `invalid-request` for a cursor of another list */
export async function newestFirst<T>(
  { client, name: TableName }: Table,
  { index, keyOf, name, partition, pattern, read }: List<T>,
  page: { readonly limit: number; readonly cursor: string | null },
): Promise<Page<T>> {
  const before = page.cursor === null ? null : decodeCursor(name, pattern, page.cursor);
  const key = index ?? "";
  const answer = await client.send(
    new QueryCommand({
      TableName,
      ...(index === null ? { ConsistentRead: true } : { IndexName: index }),
      ScanIndexForward: false,
      Limit: page.limit + 1,
      KeyConditionExpression: `${key}pk = :pk${before === null ? "" : ` AND ${key}sk < :before`}`,
      ExpressionAttributeValues: { ":pk": partition, ...(before === null ? {} : { ":before": before }) },
    }),
  );
  const found = (answer.Items ?? []).map(read);
  const items = found.slice(0, page.limit);
  const last = items.at(-1);
  const isMore = found.length > page.limit || answer.LastEvaluatedKey !== undefined;
  return { items, nextCursor: isMore && last !== undefined ? encodeCursor(name, keyOf(last)) : null };
}
