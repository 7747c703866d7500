import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { type Backup, backupRequestSchema, notDeleted } from "../../domain/backup/backup.ts";
import { type BackupDrill, backupDrillSchema } from "../../domain/backup/drill.ts";
import type { Operation } from "../../domain/operation/operation.ts";
import type { OperationStart, Page } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { succeeds } from "./conditional.ts";
import { keptCheck } from "./deleted.ts";
import { backupToItem, itemToBackup } from "./items.ts";
import { backupKey, backupsIndexKey, backupsPartition, clusterKey, indexNames } from "./keys.ts";
import { newestFirst } from "./newest-first.ts";
import { startWrites } from "./operations.ts";
import { everything } from "./partition.ts";
import { backupInProgress, noCluster } from "./refusals.ts";
import { transact, type Write } from "./transact.ts";

const backupIdPattern = /^bkp_[0-9A-Z]{26}$/;

export async function startBackupOperation(
  table: Table,
  start: OperationStart,
  backup: Backup | null,
  from?: { deletedClusterId: string },
): Promise<void> {
  const puts: Write[] =
    backup === null ? [] : [{ write: { Put: { TableName: table.name, Item: backupToItem(backup) } } }];
  const kept = from === undefined ? [] : [keptCheck(table, from.deletedClusterId)];
  const claim = claimWrite(table, start.operation);
  await transact(table, [...startWrites(table, start), claim, ...kept, ...puts]);
}

function claimWrite(table: Table, { clusterId, id: operationId }: Operation): Write {
  return {
    write: {
      Update: {
        TableName: table.name,
        Key: clusterKey(clusterId),
        ConditionExpression:
          "attribute_exists(pk) AND (attribute_not_exists(backupOperationId) OR backupOperationId = :none)",
        UpdateExpression: "SET backupOperationId = :operation, updatedAt = :now",
        ExpressionAttributeValues: {
          ":none": null,
          ":operation": operationId,
          ":now": new Date().toISOString(),
        },
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      },
    },
    refused: (existing, cause) =>
      existing === undefined
        ? noCluster(clusterId, cause)
        : backupInProgress(clusterId, existing["backupOperationId"]?.S ?? "of another call", cause),
  };
}

export async function getBackup(table: Table, clusterId: string, backupId: string): Promise<Backup | null> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: backupKey(clusterId, backupId), ConsistentRead: true }),
  );
  return answer.Item === undefined ? null : itemToBackup(answer.Item);
}

export function listBackups(
  table: Table,
  page: { clusterId: string | null; limit: number; cursor: string | null },
): Promise<Page<Backup>> {
  const { clusterId } = page;
  const where =
    clusterId === null
      ? { name: "backups", partition: backupsIndexKey, index: indexNames.first }
      : { name: `backups:${clusterId}`, partition: backupsPartition(clusterId), index: null };
  const reading = { pattern: backupIdPattern, read: itemToBackup, keyOf: ({ id }: Backup) => id };
  return newestFirst(table, { ...where, ...reading }, page);
}

export async function allBackups(table: Table, clusterId: string): Promise<readonly Backup[]> {
  return (await everything(table, backupsPartition(clusterId))).map(itemToBackup);
}

export async function putBackup(table: Table, backup: Backup): Promise<boolean> {
  return succeeds(
    table.client.send(
      new PutCommand({
        TableName: table.name,
        Item: backupToItem(backup),
        ConditionExpression: "operationId = :operation",
        ExpressionAttributeValues: { ":operation": backup.operationId },
      }),
    ),
  );
}

export async function claimBackup(table: Table, backup: Backup, operationId: string): Promise<boolean> {
  return succeeds(
    table.client.send(
      new PutCommand({
        TableName: table.name,
        Item: backupToItem({ ...backup, state: "deleting", operationId }),
        ConditionExpression: "operationId = :operation AND #state = :state",
        ExpressionAttributeNames: { "#state": "state" },
        ExpressionAttributeValues: { ":operation": backup.operationId, ":state": backup.state },
      }),
    ),
  );
}

export async function removeBackup(table: Table, clusterId: string, backupId: string): Promise<void> {
  await table.client.send(new DeleteCommand({ TableName: table.name, Key: backupKey(clusterId, backupId) }));
}

/** What an operation leaves of the backup that it was at: nothing says `running` when nobody runs it. */
export async function settleBackup(
  table: Table,
  operation: Operation,
  end: {
    readonly state: "succeeded" | "failed" | "cancelled";
    readonly endedAt: string;
    readonly error?: { code: string; message: string };
  },
): Promise<void> {
  const { error, state } = end;
  if (state === "succeeded") return;
  const { backupId } = backupRequestSchema.parse(operation.request);
  const backup = await getBackup(table, operation.clusterId, backupId);
  if (backup?.operationId !== operation.id) return;
  if (backup.state === "deleting") {
    await putBackup(table, notDeleted(backup, error === undefined ? { state } : { state, error }));
  }
  if (backup.state === "pending" || backup.state === "running") {
    await putBackup(table, { ...backup, state, endedAt: end.endedAt, error: error ?? null, progress: null });
  }
}

export async function recordDrill(
  table: Table,
  clusterId: string,
  backupId: string,
  drill: BackupDrill,
): Promise<void> {
  await succeeds(
    table.client.send(
      new UpdateCommand({
        TableName: table.name,
        Key: backupKey(clusterId, backupId),
        ConditionExpression: "attribute_exists(pk)",
        UpdateExpression: "SET lastDrill = :drill",
        ExpressionAttributeValues: { ":drill": backupDrillSchema.parse(drill) },
      }),
    ),
  );
}
