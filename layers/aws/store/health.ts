import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { z } from "zod";
import { driftSchema } from "../../domain/cluster/cluster.ts";
import { type HealthRecord, healthRecordSchema, unknownHealth } from "../../domain/cluster/health-record.ts";
import type { HealthUpdate } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { auditToItem } from "./items.ts";
import { clusterKey, healthKey } from "./keys.ts";
import { transact, type Write } from "./transact.ts";

class NotToBeJudged extends Error {
  override readonly name = "NotToBeJudged";
}

export async function readHealth(table: Table, clusterId: string): Promise<HealthRecord> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: healthKey(clusterId), ConsistentRead: true }),
  );
  // A record of before a field existed knows nothing of it.
  return answer.Item === undefined
    ? unknownHealth
    : healthRecordSchema.parse({ ...unknownHealth, ...answer.Item });
}

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
