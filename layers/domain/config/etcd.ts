import { memberName } from "../cluster/names.ts";
import { nodePorts } from "../cluster/node-ports.ts";
import { ownFirst } from "../node/peers.ts";
import type { NodeIntent, Peer } from "../node/protocol.ts";
import { nodePaths, tlsFiles } from "./paths.ts";
import { renderYaml } from "./yaml.ts";

/** etcd's own defaults: a heartbeat must be longer than a round trip between zones, an election ten heartbeats. */
const heartbeatMs = 100;
const electionMs = 1000;
/** Patroni keeps a few hundred kilobytes; a small quota keeps a runaway writer off the data volume. */
export const dcsBytesMax = 256 * 1024 ** 2;
/** Patroni writes each second and never looks back. */
const compactionHours = 1;
/** Entries between two snapshots: Patroni's few writes must not keep the whole history in memory. */
const snapshotCount = 10_000;

/** The part of the file that counts for a member that has its data: the rest founds or joins, once. */
export function lastingEtcd(file: string): string {
  return file
    .split("\n")
    .filter((line) => !line.startsWith("initial-"))
    .join("\n");
}

export function dcsPeers(peers: readonly Peer[]): readonly Peer[] {
  return peers.filter((peer) => peer.services.includes("etcd"));
}

/** As `dcsPeers`, the node's own first. */
export function dcsPeersFrom(nodeId: string, peers: readonly Peer[]): Peer[] {
  return ownFirst(nodeId, dcsPeers(peers));
}

function url(address: string, port: number): string {
  return `https://${address}:${port}`;
}

/** etcd of one node. The members that the cluster begins with are named here; later changes are etcd's own. */
export function renderEtcd(intent: Pick<NodeIntent, "clusterId" | "peers" | "dcsState">, self: Peer): string {
  const tls = tlsFiles("etcd");
  const transport = {
    "cert-file": tls.certificate,
    "key-file": tls.key,
    "trusted-ca-file": tls.authority,
    "client-cert-auth": true,
  };
  const client = url(self.address, nodePorts.etcdClient);
  const peer = url(self.address, nodePorts.etcdPeer);
  return renderYaml({
    name: memberName(self.nodeId),
    "data-dir": nodePaths.etcdData,
    "listen-client-urls": `${client},${url("127.0.0.1", nodePorts.etcdClient)}`,
    "advertise-client-urls": client,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": dcsPeers(intent.peers)
      .map((member) => `${memberName(member.nodeId)}=${url(member.address, nodePorts.etcdPeer)}`)
      .join(","),
    "initial-cluster-token": intent.clusterId,
    "initial-cluster-state": intent.dcsState,
    "client-transport-security": transport,
    "peer-transport-security": transport,
    "heartbeat-interval": heartbeatMs,
    "election-timeout": electionMs,
    "snapshot-count": snapshotCount,
    "auto-compaction-mode": "periodic",
    "auto-compaction-retention": `${compactionHours}h`,
    "quota-backend-bytes": dcsBytesMax,
    // Patroni speaks to etcd through it.
    "enable-grpc-gateway": true,
    "enable-v2": false,
    "log-level": "warn",
    logger: "zap",
    "log-outputs": ["stderr"],
  });
}
