import {
  type Cluster,
  type ClusterNode,
  completeSpec,
  newCluster,
  type Operation,
  pendingOperation,
  prefixed,
} from "@pgherd/layers/domain";
import type { AuditEntry, IdempotencyRecord, OperationStart } from "@pgherd/layers/ports";
import { monotonicFactory } from "ulid";

const ulid = monotonicFactory();
const now = () => new Date().toISOString();

export const newClusterId = () => prefixed("cluster", ulid());
export const newOperationId = () => prefixed("operation", ulid());
export const newNodeId = () => prefixed("node", ulid());

const zones = ["local-1a", "local-1b", "local-1c"] as const;

export function makeNode(zone = "local-1a", change: Partial<ClusterNode> = {}): ClusterNode {
  return {
    id: newNodeId(),
    zone,
    shard: 0,
    services: ["postgres", "etcd", "haproxy", "pgbouncer"],
    state: "pending",
    instanceId: null,
    networkInterfaceId: null,
    address: null,
    volumeId: null,
    ...change,
  };
}

export function makeCluster(name: string, change: Partial<Cluster> = {}): Cluster {
  const spec = completeSpec({ name }, { instanceType: "t4g.micro", deletionProtection: false });
  const cluster = newCluster({
    id: newClusterId(),
    spec,
    statusReason: "The cluster is being created.",
    activeOperationId: null,
    createdAt: now(),
    nodes: zones.map((zone) => makeNode(zone)),
  });
  return { ...cluster, ...change };
}

export function makeOperation(clusterId: string, change: Partial<Operation> = {}): Operation {
  const id = newOperationId();
  const kind = "create-cluster";
  return {
    ...pendingOperation({ id, clusterId, kind, startedBy: "olivia", createdAt: now() }),
    ...change,
  };
}

export function makeAudit(clusterId: string, change: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: prefixed("audit", ulid()),
    clusterId,
    at: now(),
    action: "create-cluster",
    principal: "olivia",
    role: "operator",
    sourceAddress: "198.18.0.1",
    requestId: prefixed("request", ulid()),
    operationId: null,
    detail: "",
    ...change,
  };
}

export function makeRecord(key: string, change: Partial<IdempotencyRecord> = {}): IdempotencyRecord {
  return {
    principal: "olivia",
    key,
    requestHash: "hash",
    status: 202,
    body: '{"cluster":{}}',
    headers: { location: "/v1/operations/x" },
    expiresAt: Math.floor(Date.now() / 1000) + 3600,
    ...change,
  };
}

/** Cluster and the start of the operation that creates it, as the API writes them together. */
export function makeCreate(
  name: string,
  idempotency: IdempotencyRecord | null = null,
): { cluster: Cluster; start: OperationStart } {
  const cluster = makeCluster(name);
  const operation = makeOperation(cluster.id);
  return {
    cluster: { ...cluster, activeOperationId: operation.id },
    start: { operation, audit: makeAudit(cluster.id, { operationId: operation.id }), idempotency },
  };
}
