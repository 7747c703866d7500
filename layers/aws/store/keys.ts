/** Keys of the table; {@link DynamoStore} has the picture. */

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

export const clustersIndexKey = "CLUSTERS";
export const operationsIndexKey = "OPERATIONS";
export const openOperationsKey = "OPEN_OPERATIONS";

/** Index names, as the table defines them. */
export const indexNames = { first: "gsi1", second: "gsi2" } as const;

export const clusterPartition = (clusterId: string): string => `CLUSTER#${clusterId}`;
export const eventsPartition = (clusterId: string): string => `EVENTS#${clusterId}`;

export const clusterSortKey = "CLUSTER";
const nodeSortKeyPrefix = "NODE#";

export const nameKey = (name: string): Key => ({ pk: `NAME#${name}`, sk: "NAME" });
export const clusterKey = (clusterId: string): Key => ({
  pk: clusterPartition(clusterId),
  sk: clusterSortKey,
});
export const nodeKey = (clusterId: string, nodeId: string): Key => ({
  pk: clusterPartition(clusterId),
  sk: `${nodeSortKeyPrefix}${nodeId}`,
});
/** Sorts before `CLUSTER` and `NODE#…`, so that reading a cluster leaves the certificate out. */
export const authorityKey = (clusterId: string): Key => ({
  pk: clusterPartition(clusterId),
  sk: "AUTHORITY",
});
/** Sorts before `CLUSTER`, too. */
export const healthKey = (clusterId: string): Key => ({ pk: clusterPartition(clusterId), sk: "ASSESSMENT" });
/** Sorts before `CLUSTER`, too. */
export const metricsKey = (clusterId: string): Key => ({
  pk: clusterPartition(clusterId),
  sk: "ASSESSMENT#METRICS",
});
export const orphansPartition = "ORPHANS";
export const orphanKey = (name: string): Key => ({ pk: orphansPartition, sk: name });
export const backupsPartition = (clusterId: string): string => `BACKUPS#${clusterId}`;
export const backupKey = (clusterId: string, backupId: string): Key => ({
  pk: backupsPartition(clusterId),
  sk: backupId,
});
/** In the index: the backups of all clusters. */
export const backupsIndexKey = "BACKUPS";
/** By the operation that makes them: operations follow each other in time. */
export const pointsPartition = (clusterId: string): string => `RESTORE_POINTS#${clusterId}`;
export const pointKey = (clusterId: string, operationId: string): Key => ({
  pk: pointsPartition(clusterId),
  sk: operationId,
});
export const pointNamesPartition = (clusterId: string): string => `RESTORE_POINT_NAMES#${clusterId}`;
export const pointNameKey = (clusterId: string, name: string): Key => ({
  pk: pointNamesPartition(clusterId),
  sk: name,
});
export const deletedPartition = "DELETED_CLUSTERS";
export const deletedKey = (clusterId: string): Key => ({ pk: deletedPartition, sk: clusterId });
export const operationKey = (operationId: string): Key => ({
  pk: `OPERATION#${operationId}`,
  sk: "OPERATION",
});
export const openOperationKey = (operationId: string): Key => ({ pk: openOperationsKey, sk: operationId });
export const auditKey = (clusterId: string, auditId: string): Key => ({
  pk: eventsPartition(clusterId),
  sk: auditId,
});
export const idempotencyKey = (principal: string, key: string): Key => ({
  pk: `IDEMPOTENCY#${principal}`,
  sk: key,
});
