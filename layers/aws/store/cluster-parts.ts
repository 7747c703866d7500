import { DeleteCommand, GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { ClusterNode } from "../../domain/cluster/cluster.ts";
import type { Table } from "./client.ts";
import { succeeds } from "./conditional.ts";
import { nodeToItem } from "./items.ts";
import { authorityKey, clusterKey, nodeKey } from "./keys.ts";
import { noCluster } from "./refusals.ts";
import { transact, type Write } from "./transact.ts";

/** What a cluster has beside its own item: nodes and the certificate of its authority. */

/** A node that is there is replaced without touching the cluster's item; only a new one has to see that item. */
export async function putNode(table: Table, clusterId: string, node: ClusterNode): Promise<void> {
  const item = nodeToItem(clusterId, node);
  const isReplaced = await succeeds(
    table.client.send(
      new PutCommand({ TableName: table.name, Item: item, ConditionExpression: "attribute_exists(pk)" }),
    ),
  );
  if (isReplaced) return;
  await transact(table, [
    clusterExists(table, clusterId),
    { write: { Put: { TableName: table.name, Item: item } } },
  ]);
}

export async function removeNode(table: Table, clusterId: string, nodeId: string): Promise<void> {
  await table.client.send(new DeleteCommand({ TableName: table.name, Key: nodeKey(clusterId, nodeId) }));
}

export async function putAuthorityCertificate(table: Table, clusterId: string, pem: string): Promise<void> {
  await transact(table, [
    clusterExists(table, clusterId),
    { write: { Put: { TableName: table.name, Item: { ...authorityKey(clusterId), certificate: pem } } } },
  ]);
}

export async function removeAuthorityCertificate(table: Table, clusterId: string): Promise<void> {
  await table.client.send(new DeleteCommand({ TableName: table.name, Key: authorityKey(clusterId) }));
}

export async function getAuthorityCertificate(table: Table, clusterId: string): Promise<string | null> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: authorityKey(clusterId), ConsistentRead: true }),
  );
  const certificate: unknown = answer.Item?.["certificate"];
  return typeof certificate === "string" ? certificate : null;
}

/** Nothing may be written into a cluster that is gone: no one would ever remove it. */
function clusterExists(table: Table, clusterId: string): Write {
  return {
    write: {
      ConditionCheck: {
        TableName: table.name,
        Key: clusterKey(clusterId),
        ConditionExpression: "attribute_exists(pk)",
      },
    },
    refused: (_existing, cause) => noCluster(clusterId, cause),
  };
}
