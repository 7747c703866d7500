import { authorityPath, parameterPath, passwordPath } from "@pgherd/layers/domain";
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

export const parameters = async ({ ports, clusterId }: Scope<ClusterPorts>): Promise<void> =>
  ports.secrets.removeAll(parameterPath(ports.settings.environment, clusterId));

/** Name, nodes, certificate and the cluster itself; the audit trail and the operations stay. */
export const cluster = async ({ ports, clusterId }: Scope<ClusterPorts>): Promise<void> =>
  ports.store.removeCluster(clusterId);
