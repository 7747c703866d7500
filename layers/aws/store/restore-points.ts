import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { RestorePoint } from "../../domain/backup/restore-point.ts";
import type { Operation } from "../../domain/operation/operation.ts";
import { Problem } from "../../domain/problems.ts";
import type { OperationStart, Page } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { itemToPoint, pointToItem } from "./items.ts";
import { clusterKey, pointKey, pointNameKey, pointsPartition } from "./keys.ts";
import { newestFirst } from "./newest-first.ts";
import { startWrites } from "./operations.ts";
import { noCluster } from "./refusals.ts";
import { transact, type Write } from "./transact.ts";

const operationIdPattern = /^opn_[0-9A-Z]{26}$/;

export async function startRestorePoint(
  table: Table,
  start: OperationStart,
  point: RestorePoint,
): Promise<void> {
  const { clusterId, name, operationId } = point;
  const cluster: Write = {
    write: {
      ConditionCheck: {
        TableName: table.name,
        Key: clusterKey(clusterId),
        ConditionExpression: "attribute_exists(pk)",
      },
    },
    refused: (_existing, cause) => noCluster(clusterId, cause),
  };
  const claim: Write = {
    write: {
      Put: {
        TableName: table.name,
        Item: { ...pointNameKey(clusterId, name), operationId },
        ConditionExpression: "attribute_not_exists(pk)",
      },
    },
    refused: (_existing, cause) => pointExists(clusterId, name, cause),
  };
  const put: Write = { write: { Put: { TableName: table.name, Item: pointToItem(point) } } };
  await transact(table, [...startWrites(table, start), cluster, claim, put]);
}

export const pointExists = (clusterId: string, name: string, cause?: unknown): Problem =>
  new Problem(
    "restore-point-exists",
    `Cluster ${clusterId} has a restore point "${name}" already, and PostgreSQL ends a recovery at the first one of a name: choose another name.`,
    { errors: [{ path: "/name", message: "must be unique among the cluster's restore points" }], cause },
  );

export async function findRestorePoint(
  table: Table,
  clusterId: string,
  name: string,
): Promise<RestorePoint | null> {
  const claim = await table.client.send(
    new GetCommand({ TableName: table.name, Key: pointNameKey(clusterId, name), ConsistentRead: true }),
  );
  const operationId: unknown = claim.Item?.["operationId"];
  return typeof operationId === "string" ? getPoint(table, clusterId, operationId) : null;
}

async function getPoint(table: Table, clusterId: string, operationId: string): Promise<RestorePoint | null> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: pointKey(clusterId, operationId), ConsistentRead: true }),
  );
  return answer.Item === undefined ? null : itemToPoint(answer.Item);
}

export function listRestorePoints(
  table: Table,
  page: { clusterId: string; limit: number; cursor: string | null },
): Promise<Page<RestorePoint>> {
  const list = {
    name: `restore-points:${page.clusterId}`,
    partition: pointsPartition(page.clusterId),
    index: null,
    pattern: operationIdPattern,
    read: itemToPoint,
    keyOf: ({ operationId }: RestorePoint) => operationId,
  };
  return newestFirst(table, list, page);
}

export async function putRestorePoint(table: Table, point: RestorePoint): Promise<void> {
  await table.client.send(
    new PutCommand({
      TableName: table.name,
      Item: pointToItem(point),
      ConditionExpression: "attribute_exists(pk)",
    }),
  );
}

/** A point of which PostgreSQL was never told leaves its name to others; one of which nobody knows keeps it for good. */
export async function settleRestorePoint(
  table: Table,
  operation: Operation,
  state: "succeeded" | "failed" | "cancelled",
): Promise<void> {
  const point = await getPoint(table, operation.clusterId, operation.id);
  if (state === "succeeded" || point === null) return;
  if (point.state === "running") await putRestorePoint(table, { ...point, state: "uncertain" });
  if (point.state !== "pending") return;
  const keys = [pointKey(point.clusterId, point.operationId), pointNameKey(point.clusterId, point.name)];
  await transact(
    table,
    keys.map((key) => ({ write: { Delete: { TableName: table.name, Key: key } } })),
  );
}
