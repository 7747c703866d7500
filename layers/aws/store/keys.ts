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
export const orphansPartition = "ORPHANS";
export const orphanKey = (name: string): Key => ({ pk: orphansPartition, sk: name });
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
