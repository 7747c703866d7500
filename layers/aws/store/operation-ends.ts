import type { ClusterStatus } from "../../domain/cluster/cluster.ts";
import { endedStates, holderOf, isAboutOneBackup, type Operation } from "../../domain/operation/operation.ts";
import { settleBackup } from "./backups.ts";
import type { Table } from "./client.ts";
import { clusterKey, openOperationKey, operationKey } from "./keys.ts";
import { getOperation } from "./operation-lists.ts";
import { noOperation } from "./refusals.ts";
import { settleRestorePoint } from "./restore-points.ts";
import { transact, type Write } from "./transact.ts";

/** Ends the operation, closes it for the reconcilers and frees its cluster, where it holds that: once. */
export async function endOperation(
  table: Table,
  operationId: string,
  end: {
    state: "succeeded" | "failed" | "cancelled";
    error?: { code: string; message: string };
    endedAt: string;
    cluster?: { status: ClusterStatus; statusReason: string };
  },
): Promise<void> {
  const operation = await getOperation(table, operationId);
  if (operation === null) throw noOperation(operationId);
  if (endedStates.includes(operation.state)) return;
  const holder = holderOf(operation.kind);
  if (isAboutOneBackup(operation.kind)) await settleBackup(table, operation, end);
  if (operation.kind === "create-restore-point") await settleRestorePoint(table, operation, end.state);
  const writes = [endWrite(table, operationId, end), closeWrite(table, operationId)];
  const free = holder === null ? [] : [freeClusterWrite(table, operation, holder, end.cluster)];
  try {
    await transact(table, [...writes, ...free]);
  } catch (error) {
    if (error instanceof EndedBefore) return;
    if (!(error instanceof ClusterNotHeld)) throw error;
    await transact(table, writes).catch((again: unknown) => {
      if (!(again instanceof EndedBefore)) throw again;
    });
  }
}

class EndedBefore extends Error {
  override readonly name = "EndedBefore";
}

/** The cluster is gone (deleted), or it is another operation's by now. */
class ClusterNotHeld extends Error {
  override readonly name = "ClusterNotHeld";
}

function endWrite(
  table: Table,
  operationId: string,
  end: { state: string; error?: { code: string; message: string }; endedAt: string },
): Write {
  return {
    write: {
      Update: {
        TableName: table.name,
        Key: operationKey(operationId),
        ConditionExpression: "#state IN (:pending, :running)",
        UpdateExpression: `SET #state = :state, endedAt = :endedAt${end.error ? ", #error = :error" : ""}`,
        ExpressionAttributeNames: { "#state": "state", ...(end.error ? { "#error": "error" } : {}) },
        ExpressionAttributeValues: {
          ":pending": "pending",
          ":running": "running",
          ":state": end.state,
          ":endedAt": end.endedAt,
          ...(end.error ? { ":error": end.error } : {}),
        },
      },
    },
    refused: (_existing, cause) => new EndedBefore(`operation ${operationId} has ended before`, { cause }),
  };
}

function closeWrite(table: Table, operationId: string): Write {
  return { write: { Delete: { TableName: table.name, Key: openOperationKey(operationId) } } };
}

function freeClusterWrite(
  table: Table,
  operation: Operation,
  holder: NonNullable<ReturnType<typeof holderOf>>,
  said: { status: ClusterStatus; statusReason: string } | undefined,
): Write {
  const cluster = holder === "activeOperationId" ? said : undefined;
  return {
    write: {
      Update: {
        TableName: table.name,
        Key: clusterKey(operation.clusterId),
        ConditionExpression: `${holder} = :operation`,
        UpdateExpression: `SET ${holder} = :none, updatedAt = :now${
          cluster === undefined ? "" : ", #status = :status, statusReason = :reason"
        }`,
        ...(cluster === undefined ? {} : { ExpressionAttributeNames: { "#status": "status" } }),
        ExpressionAttributeValues: {
          ":operation": operation.id,
          ":none": null,
          ":now": new Date().toISOString(),
          ...(cluster === undefined ? {} : { ":status": cluster.status, ":reason": cluster.statusReason }),
        },
      },
    },
    refused: (_existing, cause) =>
      new ClusterNotHeld(`cluster ${operation.clusterId} is not held by ${operation.id}`, { cause }),
  };
}
