import {
  authorityPath,
  backupPath,
  type Cluster,
  type DeletedCluster,
  deletedCluster,
  deleteRequestSchema,
  deleteResultSchema,
  parameterPath,
  passwordPath,
} from "@pgherd/layers/domain";
import type { AuditEntry } from "@pgherd/layers/ports";
import { systemEntry } from "@pgherd/layers/runtime";
import type { NodeUndo, Scope, Undo } from "@pgherd/layers/runtime/workflow";
import type { ClusterPorts } from "./ports.ts";

/**
 * How the parts of a cluster are removed: by ids alone, and nothing to remove is success. A create that unwinds and a
 * delete use the same.
 */

/**
 * What the create's call wrote beside the cluster. Nodes that something is left of stay: a delete finds it by them.
 */
export const claim: Undo<ClusterPorts> = async ({ ports, clusterId, nodes }, earlier) => {
  await ports.store.releaseName(clusterId);
  if (earlier.length > 0) return;
  for (const { id } of nodes) await ports.store.removeNode(clusterId, id);
};

export const securityGroup: Undo<ClusterPorts> = ({ ports, clusterId }) =>
  ports.compute.removeSecurityGroup(clusterId);

/** After the last instance that has it. */
export const identity = ({ ports, clusterId }: Scope<ClusterPorts>): Promise<void> =>
  ports.identities.remove(clusterId);

export const volume: NodeUndo<ClusterPorts> = ({ ports, clusterId }, nodeId) =>
  ports.compute.removeVolume(clusterId, nodeId);

export const networkInterface: NodeUndo<ClusterPorts> = ({ ports, clusterId }, nodeId) =>
  ports.compute.removeNetworkInterface(clusterId, nodeId);

export const instance: NodeUndo<ClusterPorts> = ({ ports, clusterId }, nodeId) =>
  ports.compute.removeInstance(clusterId, nodeId);

export const passwords: Undo<ClusterPorts> = ({ ports, clusterId }) =>
  ports.secrets.removeAll(passwordPath(ports.settings.environment, clusterId));

export const authority: Undo<ClusterPorts> = async ({ ports, clusterId }) => {
  await ports.secrets.removeAll(authorityPath(ports.settings.environment, clusterId));
  await ports.store.removeAuthorityCertificate(clusterId);
};

export const cipherPass: Undo<ClusterPorts> = ({ ports, clusterId }) =>
  ports.secrets.removeAll(backupPath(ports.settings.environment, clusterId));

export const schedules = ({ ports, clusterId }: Scope<ClusterPorts>): Promise<void> =>
  ports.schedules.remove(clusterId);

/** Without the pass nobody could read a backup any more: it stays as long as there is one. */
export const parameters = async (scope: Scope<ClusterPorts>): Promise<void> => {
  const { ports, clusterId } = scope;
  const { environment } = ports.settings;
  if (!(await ports.store.hasBackups(clusterId))) {
    return ports.secrets.removeAll(parameterPath(environment, clusterId));
  }
  await ports.secrets.removeAll(passwordPath(environment, clusterId));
  await ports.secrets.removeAll(authorityPath(environment, clusterId));
};

/** Name, nodes, certificate and the cluster itself; the audit trail, the operations and the backups stay. */
export const cluster = async (scope: Scope<ClusterPorts>): Promise<string | undefined> => {
  const { clusterId, operationId, ports } = scope;
  const present = await ports.store.getCluster(clusterId);
  if (present === null) {
    await ports.store.removeCluster(clusterId);
    return undefined;
  }
  const deleted = await whatIsKept(scope, present);
  const event = deleted.hasBackups ? keptEvent(deleted, operationId) : null;
  await ports.store.removeCluster(clusterId, { deleted, event });
  return event?.detail;
};

async function whatIsKept(
  { clusterId, operationId, ports, request }: Scope<ClusterPorts>,
  present: Cluster,
): Promise<DeletedCluster> {
  const { store } = ports;
  const [backups, health, before, operation] = await Promise.all([
    store.allBackups(clusterId),
    store.readHealth(clusterId),
    store.getDeletedCluster(clusterId),
    store.getOperation(operationId),
  ]);
  const { archiveEnd } = deleteResultSchema.parse(operation?.result ?? {});
  return deletedCluster(present, {
    deletedAt: new Date().toISOString(),
    backups,
    archivedUntil: health.archivedUntil,
    archiveEnd,
    before,
    isUnborn: deleteRequestSchema.parse(request).before?.status === "failed",
  });
}

const keptEvent = ({ deletedAt: at, id, keptUntil, name }: DeletedCluster, operationId: string): AuditEntry =>
  systemEntry({
    clusterId: id,
    at,
    action: "backups-kept",
    operationId,
    detail: `Backups, WAL and spec of cluster "${name}" are kept until ${keptUntil}.`,
  });
