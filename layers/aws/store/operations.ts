import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { clusterSpecSchema } from "../../domain/cluster/spec.ts";
import { type Operation, stepSchema } from "../../domain/operation/operation.ts";
import { Problem } from "../../domain/problems.ts";
import type { AuditEntry, IdempotencyRecord, OperationClaim, OperationStart } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { succeeds } from "./conditional.ts";
import { auditToItem, type Item, nodeToItem, openOperationToItem, operationToItem } from "./items.ts";
import { clusterKey, operationKey } from "./keys.ts";
import { getOperation } from "./operation-lists.ts";
import { idempotencyWrite } from "./records.ts";
import { ended, inProgress, noCluster, noOperation } from "./refusals.ts";
import { transact, type Write } from "./transact.ts";

/** What every start of an operation writes beside its own items; the idempotency record's refusal comes first. */
export function startWrites(table: Table, start: OperationStart): Write[] {
  const put = (item: Item, isNew: boolean): Write => ({
    write: {
      Put: {
        TableName: table.name,
        Item: item,
        ...(isNew ? { ConditionExpression: "attribute_not_exists(pk)" } : {}),
      },
    },
  });
  return [
    ...idempotencyWrite(table, start.idempotency),
    put(operationToItem(start.operation), true),
    put(openOperationToItem(start.operation), false),
    put(auditToItem(start.audit), false),
  ];
}

export async function startOperation(
  table: Table,
  start: OperationStart,
  cluster: OperationClaim,
): Promise<void> {
  const { clusterId } = start.operation;
  const nodes: Write[] = (cluster.nodes ?? []).map((node) => ({
    write: { Put: { TableName: table.name, Item: nodeToItem(clusterId, node) } },
  }));
  await transact(table, [...startWrites(table, start), claimWrite(table, start, cluster), ...nodes]);
}

function claimWrite(table: Table, { operation }: OperationStart, cluster: OperationClaim): Write {
  const { id: operationId, clusterId } = operation;
  const { expectedGeneration: generation, spec } = cluster;
  return {
    write: {
      Update: {
        TableName: table.name,
        Key: clusterKey(clusterId),
        ConditionExpression: `attribute_exists(pk) AND activeOperationId = :none${
          generation === undefined ? "" : " AND generation = :generation"
        }`,
        UpdateExpression: `SET activeOperationId = :operation, #status = :status, statusReason = :reason, updatedAt = :now${
          spec === undefined ? "" : ", spec = :spec, generation = generation + :one"
        }`,
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: {
          ":none": null,
          ":operation": operationId,
          ":status": cluster.status,
          ":reason": cluster.statusReason,
          ":now": new Date().toISOString(),
          ...(generation === undefined ? {} : { ":generation": generation }),
          ...(spec === undefined ? {} : { ":spec": clusterSpecSchema.parse(spec), ":one": 1 }),
        },
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      },
    },
    refused: (existing, cause) => {
      if (existing === undefined) return noCluster(clusterId, cause);
      const running = existing["activeOperationId"]?.S;
      if (running !== undefined) return inProgress(clusterId, running, cause);
      return new Problem(
        "precondition-failed",
        `Cluster ${clusterId} is no longer at generation ${generation}: read it again and decide anew.`,
        { cause },
      );
    },
  };
}

export async function markOperationRunning(
  table: Table,
  operationId: string,
  stepNames: readonly string[] = [],
): Promise<void> {
  const steps = stepNames.map((name) => ({ name, state: "pending", startedAt: null, endedAt: null }));
  const write = (condition: string, update: string, values: Item): Promise<unknown> =>
    table.client.send(
      new UpdateCommand({
        TableName: table.name,
        Key: operationKey(operationId),
        ConditionExpression: `#state IN (:pending, :running)${condition}`,
        UpdateExpression: `SET #state = :running${update}`,
        ExpressionAttributeNames: { "#state": "state" },
        ExpressionAttributeValues: { ":pending": "pending", ":running": "running", ...values },
      }),
    );
  const isNamed = await succeeds(
    write(" AND size(stepOrder) = :zero", ", steps = :steps, stepOrder = :names", {
      ":zero": 0,
      ":steps": Object.fromEntries(steps.map((step) => [step.name, stepSchema.parse(step)])),
      ":names": stepNames,
    }),
  );
  if (isNamed) return;
  try {
    await write("", "", {});
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    throw await missingOrEnded(table, operationId, error);
  }
}

export async function putOperationResult(
  table: Table,
  operationId: string,
  result: NonNullable<Operation["result"]>,
): Promise<void> {
  const isThere = await succeeds(
    table.client.send(
      new UpdateCommand({
        TableName: table.name,
        Key: operationKey(operationId),
        ConditionExpression: "attribute_exists(pk)",
        UpdateExpression: "SET #result = :result",
        ExpressionAttributeNames: { "#result": "result" },
        ExpressionAttributeValues: { ":result": result },
      }),
    ),
  );
  if (!isThere) throw noOperation(operationId);
}

export async function requestCancel(
  table: Table,
  operationId: string,
  audit: AuditEntry,
  idempotency: IdempotencyRecord | null,
): Promise<Operation> {
  const flag: Write = {
    write: {
      Update: {
        TableName: table.name,
        Key: operationKey(operationId),
        ConditionExpression: "attribute_exists(pk) AND #state IN (:pending, :running)",
        UpdateExpression: "SET cancelRequested = :yes",
        ExpressionAttributeNames: { "#state": "state" },
        ExpressionAttributeValues: { ":pending": "pending", ":running": "running", ":yes": true },
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      },
    },
    refused: (existing, cause) =>
      existing === undefined
        ? noOperation(operationId, cause)
        : ended(operationId, existing["state"]?.S, cause),
  };
  await transact(table, [
    ...idempotencyWrite(table, idempotency),
    flag,
    { write: { Put: { TableName: table.name, Item: auditToItem(audit) } } },
  ]);
  const operation = await getOperation(table, operationId);
  if (operation === null) throw noOperation(operationId);
  return operation;
}

async function missingOrEnded(table: Table, operationId: string, cause: unknown): Promise<Problem> {
  const operation = await getOperation(table, operationId);
  return operation === null ? noOperation(operationId, cause) : ended(operationId, operation.state, cause);
}
