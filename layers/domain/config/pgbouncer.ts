import { nodePorts } from "../cluster/node-ports.ts";
import type { ClusterSpec } from "../cluster/spec.ts";
import { settleParameters } from "../postgres/spec-parameters.ts";
import { configurationFiles, nodePaths, tlsFiles } from "./paths.ts";

/** Connections that stay free for direct logins, replication's own and the superuser. */
const directShare = 0.2;
const poolSizeMin = 5;
/** Named statements that PgBouncer keeps per server connection in transaction mode. */
const preparedStatementsMax = 200;

/** Login name → SCRAM verifier. The same verifier is in PostgreSQL, so that PgBouncer can pass a login on. */
export type Verifiers = Readonly<Record<string, string>>;

/** Each pooler may take its part of the leader's connections. */
export function poolSize(spec: ClusterSpec, poolers: number): number {
  const connections = Number(settleParameters(spec).shared["max_connections"]);
  return Math.max(poolSizeMin, Math.floor((connections * (1 - directShare)) / Math.max(1, poolers)));
}

export function renderPgbouncer(spec: ClusterSpec, poolers: number): string {
  const tls = tlsFiles("pgbouncer");
  const size = poolSize(spec, poolers);
  return `[databases]
${spec.database} = host=127.0.0.1 port=${nodePorts.readWrite}

[pgbouncer]
listen_addr = *
listen_port = ${nodePorts.pooled}
unix_socket_dir = ${nodePaths.poolerSocket}
unix_socket_mode = 0700
pool_mode = ${spec.pooler.mode}
max_client_conn = ${spec.pooler.maxClientConnections}
default_pool_size = ${size}
max_db_connections = ${size}
max_prepared_statements = ${preparedStatementsMax}
auth_type = scram-sha-256
auth_file = ${configurationFiles.pgbouncerUsers}
stats_users = monitor
client_tls_sslmode = require
client_tls_key_file = ${tls.key}
client_tls_cert_file = ${tls.certificate}
client_tls_protocols = secure
server_tls_sslmode = verify-full
server_tls_ca_file = ${tls.authority}
server_tls_protocols = secure
ignore_startup_parameters = extra_float_digits
; A new leader takes a moment: ask again at once, and let clients wait rather than fail.
server_login_retry = 0.2
server_connect_timeout = 3
server_fast_close = 1
query_wait_timeout = 120
tcp_keepidle = 30
tcp_keepintvl = 10
tcp_keepcnt = 3
log_connections = 0
log_disconnections = 0
`;
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** PgBouncer's auth_file. Verifiers cannot be used to log in, but they are nobody else's business. */
export function renderPgbouncerUsers(verifiers: Verifiers): string {
  return Object.entries(verifiers)
    .map(([name, verifier]) => `${quoted(name)} ${quoted(verifier)}\n`)
    .join("");
}
