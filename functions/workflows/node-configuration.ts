import {
  authorityKeyParameter,
  type Cluster,
  type ClusterNode,
  cipherPassParameter,
  nodeSpec,
  validLogins,
} from "@pgherd/layers/domain";
import { type NodeRestore, type Peer, repositoryOf } from "@pgherd/layers/domain/node";
import { type Configuration, revisionOf } from "@pgherd/layers/runtime";
import { newPassword, signNodeCertificate } from "@pgherd/layers/runtime/secrets";
import { type ClusterScope, known, readNode } from "./create-cluster/records.ts";
import { runOn } from "./shards.ts";

export interface ConfigurationOrder {
  readonly nodeId: string;
  /** The machine that fills the node now: PostgreSQL is set up for its size. */
  readonly instanceType: string;
  /** What an etcd does that starts here for the first time. */
  readonly dcsState: "new" | "existing";
  /** Where the data comes from that a first member begins with; left out: from nowhere. */
  readonly restore?: NodeRestore | null;
  /** One word, unique in the operation. */
  readonly step: string;
  readonly prepareSeconds: number;
  readonly configureSeconds: number;
}

/** What a node should be told, certificates aside: all nodes that have an address are its peers. */
export function configurationOf(
  scope: Pick<ClusterScope, "ports">,
  cluster: Cluster,
  nodeId: string,
  instanceType: string,
): Configuration {
  const { region, settings } = scope.ports;
  return {
    environment: settings.environment,
    region,
    clusterId: cluster.id,
    nodeId,
    spec: nodeSpec(cluster.spec, instanceType),
    peers: cluster.nodes.flatMap(peerOf),
    logins: validLogins(cluster),
    backups: repositoryOfNode(scope, cluster, nodeId),
  };
}

/** The repository of the node's shard, where the node has a part of it. */
function repositoryOfNode(
  { ports }: Pick<ClusterScope, "ports">,
  cluster: Cluster,
  nodeId: string,
): Configuration["backups"] {
  const node = cluster.nodes.find((one) => one.id === nodeId);
  // What a drill writes is nobody's to restore.
  if (cluster.drillOf !== null) return null;
  if (node === undefined || !node.services.includes("postgres")) return null;
  return repositoryOf(ports, { clusterId: cluster.id, store: cluster.spec.backup.store }, node.shard);
}

function peerOf({ id: nodeId, address, services, shard, zone }: ClusterNode): Peer[] {
  return address === null ? [] : [{ nodeId, address, zone, shard, services }];
}

/** The node makes its key and asks for a certificate; what it then configures names all of its peers. */
export async function configureNode(scope: ClusterScope, order: ConfigurationOrder): Promise<string[]> {
  const { cluster, node } = await readNode(scope, order.nodeId);
  const { certificateRequest } = await runOn(scope, node, "prepare", order.step, order.prepareSeconds, {
    clusterId: cluster.id,
    nodeId: node.id,
    volumeId: known(node.volumeId, "volume", node.id),
    address: known(node.address, "address", node.id),
  });
  return configureWith(scope, certificateRequest, order);
}

/** Signs what the node asks for and configures it with that. */
export async function configureWith(
  scope: ClusterScope,
  certificateRequest: string,
  order: Omit<ConfigurationOrder, "prepareSeconds">,
): Promise<string[]> {
  const { cluster, node } = await readNode(scope, order.nodeId);
  const { secrets, settings, store } = scope.ports;
  const certificate = known(await store.getAuthorityCertificate(cluster.id), "CA certificate", node.id);
  const privateKey = await secrets.read(authorityKeyParameter(settings.environment, cluster.id));
  const configuration = configurationOf(scope, cluster, node.id, order.instanceType);
  if (configuration.backups !== null) await ensureCipherPass(scope);
  const nodeCertificate = await signNodeCertificate(
    { certificate, privateKey },
    certificateRequest,
    { nodeId: node.id, addresses: configuration.peers.map((peer) => peer.address) },
    new Date(),
  );
  const { changed } = await runOn(scope, node, "configure", order.step, order.configureSeconds, {
    ...configuration,
    authorityCertificate: certificate,
    nodeCertificate,
    revision: revisionOf(configuration),
    dcsState: order.dcsState,
    restore: order.restore ?? null,
  });
  return changed;
}

/** Made once, with the cluster; clusters of before there were backups get theirs with their next configuration. */
export async function ensureCipherPass({ clusterId, ports }: ClusterScope): Promise<void> {
  const parameter = cipherPassParameter(ports.settings.environment, clusterId);
  if ((await ports.secrets.find(parameter)) !== null) return;
  await ports.secrets.ensure(parameter, clusterId, async () => newPassword());
}
