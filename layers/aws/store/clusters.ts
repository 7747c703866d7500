import { GetCommand, QueryCommand, type QueryCommandOutput } from "@aws-sdk/lib-dynamodb";
import type { DeletedCluster } from "../../domain/backup/deleted.ts";
import type { Cluster } from "../../domain/cluster/cluster.ts";
import { Problem } from "../../domain/problems.ts";
import type { AuditEntry, OperationStart, Page } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { keptCheck } from "./deleted.ts";
import { auditToItem, clusterToItem, deletedToItem, type Item, itemsToCluster, nodeToItem } from "./items.ts";
import {
  authorityKey,
  clusterPartition,
  clusterSortKey,
  clustersIndexKey,
  healthKey,
  indexNames,
  metricsKey,
  nameKey,
} from "./keys.ts";
import { startWrites } from "./operations.ts";
import { transact, type Write } from "./transact.ts";

const clusterIdPattern = /^clu_[0-9A-Z]{26}$/;
/** A cluster and its nodes, for sizing a page's first read; larger clusters only cost another read. */
const itemsPerClusterTypical = 5;

export async function createCluster(
  table: Table,
  cluster: Cluster,
  start: OperationStart,
  from?: { deletedClusterId: string },
): Promise<void> {
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
  const kept = from === undefined ? [] : [keptCheck(table, from.deletedClusterId)];
  await transact(table, [...startWrites(table, start), ...kept, name, ...puts]);
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

export async function removeCluster(
  table: Table,
  clusterId: string,
  kept?: { deleted: DeletedCluster; event: AuditEntry | null },
): Promise<void> {
  const items = await clusterItems(table, clusterId);
  const cluster = items.find((item) => item["sk"] === clusterSortKey);
  const keys = [
    ...items.map((item) => ({ pk: clusterPartition(clusterId), sk: String(item["sk"]) })),
    authorityKey(clusterId),
    healthKey(clusterId),
    metricsKey(clusterId),
  ];
  const removals: Write[] = keys.map((key) => ({
    write: { Delete: { TableName: table.name, Key: key } },
  }));
  if (cluster === undefined) return transact(table, removals);
  const left =
    kept === undefined
      ? []
      : [deletedToItem(kept.deleted), ...(kept.event === null ? [] : [auditToItem(kept.event)])];
  const puts: Write[] = left.map((item) => ({ write: { Put: { TableName: table.name, Item: item } } }));
  try {
    const name = releaseNameWrite(table, clusterId, String(cluster["name"]));
    await transact(table, [name, ...removals, ...puts]);
  } catch (error) {
    if (!(error instanceof NameOfAnother)) throw error;
    await transact(table, [...removals, ...puts]);
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
