import { nodePorts } from "../cluster/node-ports.ts";
import type { Peer } from "../node/protocol.ts";
import { nodePaths, tlsFiles } from "./paths.ts";

/** Connections through one node: far above PostgreSQL's own limit, and two descriptors each stay below every ulimit. */
const connectionsMax = 5_000;
/** Databases have connections that do nothing for days. */
const idleTimeout = "7d";
/** A node in another zone answers within milliseconds. */
const connectTimeout = "1s";

interface Pool {
  readonly name: string;
  readonly port: number;
  /** What Patroni is asked; 200 means that the member belongs to the pool. */
  readonly check: string;
  /** How often, where everything is as it was. */
  readonly intervalMs: number;
  readonly balance: string;
}

/** The pool whose one server is the leader. */
export const leaderPool = "read_write";

const pools: readonly Pool[] = [
  {
    name: leaderPool,
    port: nodePorts.readWrite,
    check: "/primary",
    intervalMs: 500,
    balance: "roundrobin",
  },
  { name: "read_only", port: nodePorts.readOnly, check: "/replica", intervalMs: 2_000, balance: "leastconn" },
  { name: "any", port: nodePorts.any, check: "/read-only", intervalMs: 2_000, balance: "leastconn" },
];

/**
 * A check is a TLS handshake and a query, and every proxy asks every member. From this many members on they ask the less
 * often, so that no member is asked more by a larger cluster.
 */
const membersAtFullPace = 3;

const checkEveryMs = ({ intervalMs }: Pool, members: number): number =>
  Math.round(intervalMs * Math.max(1, members / membersAtFullPace));

function renderPool(pool: Pool, members: readonly Peer[]): string {
  const every = checkEveryMs(pool, members.length);
  const servers = members.map(
    (peer) =>
      `    server ${peer.nodeId} ${peer.address}:${nodePorts.postgres} check port ${nodePorts.patroni} check-ssl verify required ca-file ${tlsFiles("haproxy").authority} verifyhost ${peer.nodeId}`,
  );
  return [
    `listen ${pool.name}`,
    `    bind :${pool.port}`,
    `    balance ${pool.balance}`,
    "    option httpchk",
    `    http-check send meth OPTIONS uri ${pool.check}`,
    "    http-check expect status 200",
    `    default-server inter ${every}ms fastinter 200ms downinter ${every}ms fall 2 rise 1 on-marked-down shutdown-sessions`,
    ...servers,
  ].join("\n");
}

/** Passes TCP through to the members, so TLS and the login are between the client and PostgreSQL. */
export function renderHaproxy(peers: readonly Peer[], self: Peer): string {
  const members = peers.filter((peer) => peer.services.includes("postgres") && peer.shard === self.shard);
  return `global
    log stderr format raw daemon notice
    maxconn ${connectionsMax}
    stats socket ${nodePaths.proxySocket} mode 660 level admin
    ssl-default-bind-options ssl-min-ver TLSv1.2
    ssl-default-server-options ssl-min-ver TLSv1.2

defaults
    log global
    mode tcp
    option dontlog-normal
    option clitcpka
    option srvtcpka
    # Another member is tried at once; the default waits a second.
    retries 0
    option redispatch 1
    timeout connect ${connectTimeout}
    timeout check 1s
    timeout queue 5s
    timeout client ${idleTimeout}
    timeout server ${idleTimeout}
    timeout client-fin 5s
    timeout server-fin 5s

${pools.map((pool) => renderPool(pool, members)).join("\n\n")}

listen statistics
    mode http
    bind :${nodePorts.haproxyStatistics} ssl crt ${tlsFiles("haproxy").bundle}
    timeout client 10s
    timeout server 10s
    stats enable
    stats uri /
    stats refresh 5s
    stats hide-version
    http-request use-service prometheus-exporter if { path /metrics }
`;
}
