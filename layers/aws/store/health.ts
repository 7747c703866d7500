import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { z } from "zod";
import { driftSchema } from "../../domain/cluster/cluster.ts";
import { type ClusterMetrics, clusterMetricsSchema } from "../../domain/cluster/health/metrics.ts";
import { type HealthRecord, healthRecordSchema, unknownHealth } from "../../domain/cluster/health-record.ts";
import type { HealthUpdate, LastLook } from "../../ports/store.ts";
import { itemsOf } from "./batch.ts";
import type { Table } from "./client.ts";
import { auditToItem, type Item } from "./items.ts";
import { clusterKey, healthKey, type Key, metricsKey } from "./keys.ts";
import { transact, type Write } from "./transact.ts";

/** Numbers of yesterday mislead; by then somebody has seen that the watch is silent. */
const metricsSeconds = 24 * 60 * 60;

class NotToBeJudged extends Error {
  override readonly name = "NotToBeJudged";
}

export async function readHealth(table: Table, clusterId: string): Promise<HealthRecord> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: healthKey(clusterId), ConsistentRead: true }),
  );
  return recordOf(answer.Item);
}

/** A record of before a field existed knows nothing of it. */
const recordOf = (item: Item | undefined): HealthRecord =>
  item === undefined ? unknownHealth : healthRecordSchema.parse({ ...unknownHealth, ...item });

/** Status, drift, what is remembered and the events of it, together; false where the cluster is an operation's now. */
export async function updateHealth(table: Table, clusterId: string, update: HealthUpdate): Promise<boolean> {
  const puts = [
    { ...healthKey(clusterId), ...healthRecordSchema.parse(update.record) },
    ...update.events.map(auditToItem),
  ];
  const writes: Write[] = puts.map((item) => ({ write: { Put: { TableName: table.name, Item: item } } }));
  try {
    await transact(table, [statusWrite(table, clusterId, update), ...writes]);
    return true;
  } catch (error) {
    if (error instanceof NotToBeJudged) return false;
    throw error;
  }
}

/** A cluster that an operation holds, or that is neither up nor meant to be, is not the health's to speak of. */
function statusWrite(table: Table, clusterId: string, update: HealthUpdate): Write {
  return {
    write: {
      Update: {
        TableName: table.name,
        Key: clusterKey(clusterId),
        ConditionExpression: "activeOperationId = :none AND #status IN (:available, :degraded)",
        UpdateExpression: "SET #status = :status, statusReason = :reason, drift = :drift, updatedAt = :now",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: {
          ":none": null,
          ":available": "available",
          ":degraded": "degraded",
          ":status": update.status,
          ":reason": update.statusReason,
          ":drift": z.array(driftSchema).parse(update.drift),
          ":now": new Date().toISOString(),
        },
      },
    },
    refused: (_existing, cause) =>
      new NotToBeJudged(`cluster ${clusterId} is gone or an operation's`, { cause }),
  };
}

export async function putMetrics(table: Table, clusterId: string, metrics: ClusterMetrics): Promise<void> {
  const expiresAt = Math.floor(Date.now() / 1000) + metricsSeconds;
  const item = { ...metricsKey(clusterId), ...clusterMetricsSchema.parse(metrics), expiresAt };
  await table.client.send(new PutCommand({ TableName: table.name, Item: item }));
}

export async function readMetrics(table: Table, clusterId: string): Promise<ClusterMetrics | null> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: metricsKey(clusterId), ConsistentRead: true }),
  );
  return metricsOf(answer.Item);
}

/** DynamoDB itself may take days to remove what has expired. */
const metricsOf = (item: Item | undefined): ClusterMetrics | null =>
  item === undefined || Number(item["expiresAt"]) * 1000 <= Date.now()
    ? null
    : clusterMetricsSchema.parse(item);

export async function readLastLooks(
  table: Table,
  clusterIds: readonly string[],
): Promise<ReadonlyMap<string, LastLook>> {
  const keys = clusterIds.flatMap((id) => [healthKey(id), metricsKey(id)]);
  const items = await itemsOf(table, keys, { isConsistent: false });
  const byKey = new Map(items.map((item) => [`${item["pk"]} ${item["sk"]}`, item]));
  const itemOf = ({ pk, sk }: Key): Item | undefined => byKey.get(`${pk} ${sk}`);
  return new Map(
    clusterIds.map((id) => [
      id,
      { record: recordOf(itemOf(healthKey(id))), metrics: metricsOf(itemOf(metricsKey(id))) },
    ]),
  );
}
