import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import {
  DeleteCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  type QueryCommandOutput,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import type { Cluster, ClusterNode, ClusterStatus } from "../../domain/cluster/cluster.ts";
import { clusterSchema, clusterStatusSchema } from "../../domain/cluster/cluster.ts";
import { type ClusterSpec, clusterSpecSchema } from "../../domain/cluster/spec.ts";
import { Problem } from "../../domain/problems.ts";
import type { ClusterRecordChange, OperationStart, Page } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { clusterToItem, type Item, itemsToCluster, nodeToItem } from "./items.ts";
import {
  authorityKey,
  clusterKey,
  clusterPartition,
  clusterSortKey,
  clustersIndexKey,
  healthKey,
  indexNames,
  nameKey,
  nodeKey,
} from "./keys.ts";
import { inProgress, startWrites } from "./operations.ts";
import { noCluster } from "./refusals.ts";
import { transact, type Write } from "./transact.ts";

const clusterIdPattern = /^clu_[0-9A-Z]{26}$/;
/** A cluster and its nodes, for sizing a page's first read; larger clusters only cost another read. */
const itemsPerClusterTypical = 5;

export async function createCluster(table: Table, cluster: Cluster, start: OperationStart): Promise<void> {
  const name: Write = {
    write: {
      Put: {
        TableName: table.name,
        Item: { ...nameKey(cluster.name), clusterId: cluster.id },
        ConditionExpression: "attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      },
    },
    refused: (existing, cause) =>
      new Problem(
        "name-taken",
        `The name "${cluster.name}" belongs to cluster ${existing?.["clusterId"]?.S ?? "of another call"}.`,
        { errors: [{ path: "/name", message: "must be unique in the environment" }], cause },
      ),
  };
  const items = [clusterToItem(cluster), ...cluster.nodes.map((node) => nodeToItem(cluster.id, node))];
  const puts: Write[] = items.map((item) => ({
    write: {
      Put: { TableName: table.name, Item: item, ConditionExpression: "attribute_not_exists(pk)" },
    },
  }));
  await transact(table, [...startWrites(table, start), name, ...puts]);
}

export async function getCluster(table: Table, clusterId: string): Promise<Cluster | null> {
  const items = await clusterItems(table, clusterId);
  const cluster = items.find((item) => item["sk"] === clusterSortKey);
  if (cluster === undefined) return null;
  return itemsToCluster(
    cluster,
    items.filter((item) => item !== cluster),
  );
}

/** Cluster and nodes, without the certificate and the health record, which sort before them. */
async function clusterItems(table: Table, clusterId: string): Promise<Item[]> {
  const answer = await table.client.send(
    new QueryCommand({
      TableName: table.name,
      ConsistentRead: true,
      KeyConditionExpression: "pk = :pk AND sk >= :cluster",
      ExpressionAttributeValues: { ":pk": clusterPartition(clusterId), ":cluster": clusterSortKey },
    }),
  );
  return answer.Items ?? [];
}

export async function findClusterByName(table: Table, name: string): Promise<string | null> {
  const answer = await table.client.send(
    new GetCommand({ TableName: table.name, Key: nameKey(name), ConsistentRead: true }),
  );
  const clusterId: unknown = answer.Item?.["clusterId"];
  return typeof clusterId === "string" ? clusterId : null;
}

/**
 * Newest first. Clusters and nodes are neighbours in one index partition and, backwards, a cluster's item follows
 * its nodes: a page is one query, however many nodes there are.
 */
export async function listClusters(
  table: Table,
  page: { limit: number; cursor: string | null },
): Promise<Page<Cluster>> {
  const before = page.cursor === null ? null : decodeCursor("clusters", clusterIdPattern, page.cursor);
  const clusters: Cluster[] = [];
  let nodes: Item[] = [];
  let from: QueryCommandOutput["LastEvaluatedKey"];
  do {
    const answer: QueryCommandOutput = await table.client.send(
      new QueryCommand({
        TableName: table.name,
        IndexName: indexNames.first,
        ScanIndexForward: false,
        Limit: (page.limit + 1) * itemsPerClusterTypical,
        KeyConditionExpression: before === null ? "gsi1pk = :pk" : "gsi1pk = :pk AND gsi1sk < :before",
        ExpressionAttributeValues: {
          ":pk": clustersIndexKey,
          ...(before === null ? {} : { ":before": before }),
        },
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      }),
    );
    for (const item of answer.Items ?? []) {
      if (item["sk"] !== clusterSortKey) {
        nodes.push(item);
        continue;
      }
      clusters.push(
        itemsToCluster(
          item,
          nodes.filter((node) => node["clusterId"] === item["id"]),
        ),
      );
      nodes = [];
    }
    from = answer.LastEvaluatedKey;
  } while (from !== undefined && clusters.length <= page.limit);

  const items = clusters.slice(0, page.limit);
  const last = items.at(-1);
  const isMore = clusters.length > page.limit;
  return { items, nextCursor: isMore && last !== undefined ? encodeCursor("clusters", last.id) : null };
}

/** The name's claim where it is this cluster's; another cluster may have taken it after a failed create. */
function releaseNameWrite(table: Table, clusterId: string, name: string): Write {
  return {
    write: {
      Delete: {
        TableName: table.name,
        Key: nameKey(name),
        ConditionExpression: "attribute_not_exists(pk) OR clusterId = :clusterId",
        ExpressionAttributeValues: { ":clusterId": clusterId },
      },
    },
    refused: (_existing, cause) => new NameOfAnother(cause),
  };
}

class NameOfAnother extends Error {
  constructor(cause: unknown) {
    super("the name belongs to another cluster now", { cause });
    this.name = "NameOfAnother";
  }
}

export async function removeCluster(table: Table, clusterId: string): Promise<void> {
  const items = await clusterItems(table, clusterId);
  const cluster = items.find((item) => item["sk"] === clusterSortKey);
  const keys = [
    ...items.map((item) => ({ pk: clusterPartition(clusterId), sk: String(item["sk"]) })),
    authorityKey(clusterId),
    healthKey(clusterId),
  ];
  const removals: Write[] = keys.map((key) => ({
    write: { Delete: { TableName: table.name, Key: key } },
  }));
  if (cluster === undefined) return transact(table, removals);
  try {
    await transact(table, [releaseNameWrite(table, clusterId, String(cluster["name"])), ...removals]);
  } catch (error) {
    if (!(error instanceof NameOfAnother)) throw error;
    await transact(table, removals);
  }
}

export async function releaseName(table: Table, clusterId: string): Promise<void> {
  const cluster = await getCluster(table, clusterId);
  if (cluster === null) return;
  try {
    await transact(table, [releaseNameWrite(table, clusterId, cluster.name)]);
  } catch (error) {
    if (!(error instanceof NameOfAnother)) throw error;
  }
}

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

const recordSchema = clusterSchema.pick({ paused: true, logins: true, retiring: true }).partial();

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

/** A node that is there is replaced without touching the cluster's item; only a new one has to see that item. */
export async function putNode(table: Table, clusterId: string, node: ClusterNode): Promise<void> {
  const item = nodeToItem(clusterId, node);
  try {
    await table.client.send(
      new PutCommand({ TableName: table.name, Item: item, ConditionExpression: "attribute_exists(pk)" }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    await transact(table, [
      clusterExists(table, clusterId),
      { write: { Put: { TableName: table.name, Item: item } } },
    ]);
  }
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

async function orNoCluster(clusterId: string, sent: Promise<unknown>): Promise<void> {
  try {
    await sent;
  } catch (error) {
    throw error instanceof ConditionalCheckFailedException ? noCluster(clusterId, error) : error;
  }
}
