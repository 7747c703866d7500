import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { type ClusterStatus, clusterSchema, clusterStatusSchema } from "../../domain/cluster/cluster.ts";
import { type ClusterSpec, clusterSpecSchema } from "../../domain/cluster/spec.ts";
import type { ClusterRecordChange, ProofChange } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { succeeds } from "./conditional.ts";
import { clusterKey } from "./keys.ts";
import { inProgress, noCluster } from "./refusals.ts";

/** What becomes of a cluster's own item while it lives. */

export async function updateClusterStatus(
  table: Table,
  clusterId: string,
  status: ClusterStatus,
  statusReason: string,
): Promise<void> {
  const command = new UpdateCommand({
    TableName: table.name,
    Key: clusterKey(clusterId),
    ConditionExpression: "attribute_exists(pk)",
    UpdateExpression: "SET #status = :status, statusReason = :reason, updatedAt = :now",
    ExpressionAttributeNames: { "#status": "status" },
    ExpressionAttributeValues: {
      ":status": clusterStatusSchema.parse(status),
      ":reason": statusReason,
      ":now": new Date().toISOString(),
    },
  });
  await orNoCluster(clusterId, table.client.send(command));
}

const recordSchema = clusterSchema
  .pick({ paused: true, logins: true, retiring: true, schedules: true, kept: true, branches: true })
  .partial();

const proofSchema = clusterSchema
  .pick({ lastDrill: true, measuredRecovery: true, lastVerification: true })
  .partial();

export async function recordProof(table: Table, clusterId: string, change: ProofChange): Promise<void> {
  const fields = Object.entries(proofSchema.parse(change));
  await succeeds(
    table.client.send(
      new UpdateCommand({
        TableName: table.name,
        Key: clusterKey(clusterId),
        ConditionExpression: "attribute_exists(pk)",
        UpdateExpression: `SET ${fields.map(([name]) => `#${name} = :${name}`).join(", ")}`,
        ExpressionAttributeNames: Object.fromEntries(fields.map(([name]) => [`#${name}`, name])),
        ExpressionAttributeValues: Object.fromEntries(fields.map(([name, value]) => [`:${name}`, value])),
      }),
    ),
  );
}

export function abandonCluster(
  table: Table,
  clusterId: string,
  operationId: string,
  statusReason: string,
): Promise<boolean> {
  return succeeds(
    table.client.send(
      new UpdateCommand({
        TableName: table.name,
        Key: clusterKey(clusterId),
        ConditionExpression: "activeOperationId = :operation",
        UpdateExpression:
          "SET activeOperationId = :none, #status = :status, statusReason = :reason, updatedAt = :now",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: {
          ":operation": operationId,
          ":none": null,
          ":status": clusterStatusSchema.parse("failed"),
          ":reason": statusReason,
          ":now": new Date().toISOString(),
        },
      }),
    ),
  );
}

export async function recordOnCluster(
  table: Table,
  clusterId: string,
  operationId: string,
  change: ClusterRecordChange,
): Promise<void> {
  const fields = Object.entries(recordSchema.parse(change));
  const command = new UpdateCommand({
    TableName: table.name,
    Key: clusterKey(clusterId),
    ConditionExpression: "activeOperationId = :operation",
    UpdateExpression: `SET updatedAt = :now${fields.map(([name]) => `, #${name} = :${name}`).join("")}`,
    ExpressionAttributeNames: Object.fromEntries(fields.map(([name]) => [`#${name}`, name])),
    ExpressionAttributeValues: {
      ":operation": operationId,
      ":now": new Date().toISOString(),
      ...Object.fromEntries(fields.map(([name, value]) => [`:${name}`, value])),
    },
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  });
  try {
    await table.client.send(command);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    if (error.Item === undefined) throw noCluster(clusterId, error);
    throw inProgress(clusterId, error.Item["activeOperationId"]?.S ?? "of nobody", error);
  }
}

export async function changeSpec(
  table: Table,
  clusterId: string,
  operationId: string,
  spec: ClusterSpec,
): Promise<void> {
  const command = new UpdateCommand({
    TableName: table.name,
    Key: clusterKey(clusterId),
    ConditionExpression: "activeOperationId = :operation AND spec <> :spec",
    UpdateExpression: "SET spec = :spec, generation = generation + :one, updatedAt = :now",
    ExpressionAttributeValues: {
      ":operation": operationId,
      ":spec": clusterSpecSchema.parse(spec),
      ":one": 1,
      ":now": new Date().toISOString(),
    },
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  });
  try {
    await table.client.send(command);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    if (error.Item === undefined) throw noCluster(clusterId, error);
    const holder = error.Item["activeOperationId"]?.S;
    if (holder !== operationId) throw inProgress(clusterId, holder ?? "of nobody", error);
  }
}

async function orNoCluster(clusterId: string, sent: Promise<unknown>): Promise<void> {
  try {
    await sent;
  } catch (error) {
    throw error instanceof ConditionalCheckFailedException ? noCluster(clusterId, error) : error;
  }
}
