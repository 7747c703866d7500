import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { endedStates, type Operation, type OperationKind } from "../../domain/operation/operation.ts";
import type { Page } from "../../ports/store.ts";
import { itemsOf } from "./batch.ts";
import type { Table } from "./client.ts";
import { itemToOperation } from "./items.ts";
import { clusterPartition, indexNames, openOperationsKey, operationKey, operationsIndexKey } from "./keys.ts";
import { newestFirst } from "./newest-first.ts";
import { everything } from "./partition.ts";

const operationIdPattern = /^opn_[0-9A-Z]{26}$/;

export async function getOperation(table: Table, operationId: string): Promise<Operation | null> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: operationKey(operationId), ConsistentRead: true }),
  );
  return answer.Item === undefined ? null : itemToOperation(answer.Item);
}

/** Newest first. */
export function listOperations(
  table: Table,
  page: { limit: number; cursor: string | null; clusterId: string | null },
): Promise<Page<Operation>> {
  const { clusterId } = page;
  const where =
    clusterId === null
      ? { name: "operations", partition: operationsIndexKey, index: indexNames.first }
      : { name: `operations:${clusterId}`, partition: clusterPartition(clusterId), index: indexNames.second };
  const reading = { pattern: operationIdPattern, read: itemToOperation, keyOf: ({ id }: Operation) => id };
  return newestFirst(table, { ...where, ...reading }, page);
}

export async function listOpenOperations(
  table: Table,
  kind: OperationKind | null,
): Promise<readonly Operation[]> {
  const ids = (await everything(table, openOperationsKey)).map((item) => String(item["operationId"]));
  const items = await itemsOf(table, ids.map(operationKey), { isConsistent: true });
  return items
    .map(itemToOperation)
    .filter((one) => !endedStates.includes(one.state) && (kind === null || one.kind === kind))
    .toSorted((left, right) => (left.id < right.id ? -1 : 1));
}
