import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import {
  type AuditEntry,
  IdempotencyConflict,
  type IdempotencyRecord,
  type Page,
} from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { auditToItem, idempotencyToItem, itemToAudit, itemToIdempotency } from "./items.ts";
import { eventsPartition, idempotencyKey } from "./keys.ts";
import { newestFirst } from "./newest-first.ts";
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
export function listAuditEntries(
  table: Table,
  page: { clusterId: string; limit: number; cursor: string | null },
): Promise<Page<AuditEntry>> {
  const list = {
    name: `events:${page.clusterId}`,
    partition: eventsPartition(page.clusterId),
    index: null,
    pattern: auditIdPattern,
    read: itemToAudit,
    keyOf: ({ id }: AuditEntry) => id,
  };
  return newestFirst(table, list, page);
}
