import { GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { DeletedCluster } from "../../domain/backup/deleted.ts";
import type { AuditEntry } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { succeeds } from "./conditional.ts";
import { auditToItem, itemToDeleted } from "./items.ts";
import {
  backupsPartition,
  deletedKey,
  deletedPartition,
  pointNamesPartition,
  pointsPartition,
} from "./keys.ts";
import { everything } from "./partition.ts";
import { backupsRemoved } from "./refusals.ts";
import { transact, type Write } from "./transact.ts";

/** What is kept of clusters that were deleted. */

/** DynamoDB's own limit for one transaction. */
const transactionItemsMax = 100;

export async function getDeletedCluster(table: Table, clusterId: string): Promise<DeletedCluster | null> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: deletedKey(clusterId), ConsistentRead: true }),
  );
  return answer.Item === undefined ? null : itemToDeleted(answer.Item);
}

export async function listDeletedClusters(table: Table): Promise<readonly DeletedCluster[]> {
  return (await everything(table, deletedPartition)).map(itemToDeleted);
}

/** Together with what begins to read: whoever begins to remove at the same time comes second, or refuses it. */
export function keptCheck(table: Table, clusterId: string): Write {
  return {
    write: {
      ConditionCheck: {
        TableName: table.name,
        Key: deletedKey(clusterId),
        ConditionExpression: "attribute_exists(pk) AND isRemoving = :no",
        ExpressionAttributeValues: { ":no": false },
      },
    },
    refused: (_existing, cause) => backupsRemoved(clusterId, cause),
  };
}

export function setRemoving(table: Table, clusterId: string, isRemoving: boolean): Promise<boolean> {
  return succeeds(
    table.client.send(
      new UpdateCommand({
        TableName: table.name,
        Key: deletedKey(clusterId),
        ConditionExpression: "attribute_exists(pk)",
        UpdateExpression: "SET isRemoving = :is",
        ExpressionAttributeValues: { ":is": isRemoving },
      }),
    ),
  );
}

export async function removeBackupRecords(table: Table, clusterId: string): Promise<void> {
  const partitions = [backupsPartition, pointsPartition, pointNamesPartition].map((of) => of(clusterId));
  const items = (await Promise.all(partitions.map((partition) => everything(table, partition)))).flat();
  const removals: Write[] = items.map((item) => ({
    write: { Delete: { TableName: table.name, Key: { pk: item["pk"], sk: item["sk"] } } },
  }));
  for (let at = 0; at < removals.length; at += transactionItemsMax) {
    await transact(table, removals.slice(at, at + transactionItemsMax));
  }
}

class ForgottenBefore extends Error {
  override readonly name = "ForgottenBefore";
}

export async function forgetDeletedCluster(
  table: Table,
  clusterId: string,
  event: AuditEntry | null,
): Promise<void> {
  const removal: Write = {
    write: {
      Delete: {
        TableName: table.name,
        Key: deletedKey(clusterId),
        ConditionExpression: "attribute_exists(pk)",
      },
    },
    refused: (_existing, cause) =>
      new ForgottenBefore(`cluster ${clusterId} has been forgotten before`, { cause }),
  };
  const told: Write[] =
    event === null ? [] : [{ write: { Put: { TableName: table.name, Item: auditToItem(event) } } }];
  try {
    await transact(table, [removal, ...told]);
  } catch (error) {
    if (!(error instanceof ForgottenBefore)) throw error;
  }
}
