import { GetCommand, PutCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";
import {
  type AuditEntry,
  IdempotencyConflict,
  type IdempotencyRecord,
  type Page,
} from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { auditToItem, idempotencyToItem, itemToAudit, itemToIdempotency } from "./items.ts";
import { eventsPartition, idempotencyKey } from "./keys.ts";
import { transact, type Write } from "./transact.ts";

const auditIdPattern = /^aud_[0-9A-Z]{26}$/;

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** The first writer of a key wins; a record whose time is over counts as absent even while DynamoDB still has it. */
export function idempotencyWrite(table: Table, record: IdempotencyRecord | null): Write[] {
  if (record === null) return [];
  const write: Write = {
    write: {
      Put: {
        TableName: table.name,
        Item: idempotencyToItem(record),
        ConditionExpression: "attribute_not_exists(pk) OR expiresAt <= :now",
        ExpressionAttributeValues: { ":now": nowSeconds() },
      },
    },
    refused: (_existing, cause) => new IdempotencyConflict({ cause }),
  };
  return [write];
}

export async function putIdempotencyRecord(table: Table, record: IdempotencyRecord): Promise<void> {
  await transact(table, idempotencyWrite(table, record));
}

export async function readIdempotencyRecord(
  table: Table,
  principal: string,
  key: string,
): Promise<IdempotencyRecord | null> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: idempotencyKey(principal, key), ConsistentRead: true }),
  );
  if (answer.Item === undefined) return null;
  const record = itemToIdempotency(answer.Item);
  return record.expiresAt > nowSeconds() ? record : null;
}

export async function putAuditEntry(table: Table, entry: AuditEntry): Promise<void> {
  await table.client.send(new PutCommand({ TableName: table.name, Item: auditToItem(entry) }));
}

/** Newest first. */
export async function listAuditEntries(
  table: Table,
  page: { clusterId: string; limit: number; cursor: string | null },
): Promise<Page<AuditEntry>> {
  const list = `events:${page.clusterId}`;
  const before = page.cursor === null ? null : decodeCursor(list, auditIdPattern, page.cursor);
  const answer = await table.client.send(
    new QueryCommand({
      TableName: table.name,
      ConsistentRead: true,
      ScanIndexForward: false,
      Limit: page.limit + 1,
      KeyConditionExpression: `pk = :pk${before === null ? "" : " AND sk < :before"}`,
      ExpressionAttributeValues: {
        ":pk": eventsPartition(page.clusterId),
        ...(before === null ? {} : { ":before": before }),
      },
    }),
  );
  const entries = (answer.Items ?? []).map(itemToAudit);
  const items = entries.slice(0, page.limit);
  const last = items.at(-1);
  const isMore = entries.length > page.limit || answer.LastEvaluatedKey !== undefined;
  return { items, nextCursor: isMore && last !== undefined ? encodeCursor(list, last.id) : null };
}
