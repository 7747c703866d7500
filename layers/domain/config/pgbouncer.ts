import { clientWaitSeconds } from "../cluster/connection.ts";
import { nodePorts } from "../cluster/node-ports.ts";
import type { ClusterSpec } from "../cluster/spec.ts";
import { settleParameters } from "../postgres/spec-parameters.ts";
import { configurationFiles, nodePaths, tlsFiles } from "./paths.ts";

/** Connections that stay free for direct logins, replication's own and the superuser. */
const directShare = 0.2;
const poolSizeMin = 5;
/** Named statements that PgBouncer keeps per server connection in transaction mode. */
const preparedStatementsMax = 200;

/** Each pooler may take its part of the leader's connections. */
export function poolSize(spec: ClusterSpec, poolers: number): number {
  const connections = Number(settleParameters(spec).shared["max_connections"]);
  return Math.max(poolSizeMin, Math.floor((connections * (1 - directShare)) / Math.max(1, poolers)));
}

/** What session mode runs between two clients; transaction mode runs nothing. */
const resetQuery = [
  "CLOSE ALL",
  "SET SESSION AUTHORIZATION DEFAULT",
  "RESET ALL",
  "DEALLOCATE ALL",
  "UNLISTEN *",
  "SELECT pg_catalog.pg_advisory_unlock_all()",
  "DISCARD PLANS",
  "DISCARD TEMP",
  "DISCARD SEQUENCES",
  "RESET ROLE",
].join("; ");

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
; DISCARD ALL, but that a login that becomes its user at the start (ALTER ROLE … SET role) becomes it again.
server_reset_query = ${resetQuery}
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
query_wait_timeout = ${clientWaitSeconds}
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

/**
 * PgBouncer's auth_file. With a SCRAM verifier in it PgBouncer could only pass on the proof of a client that has logged
 * in since, and a changed password would keep open connections from ever reaching PostgreSQL again; with the password
 * it logs in by itself (docs/decisions/pooler-passwords.md).
 */
export function renderPgbouncerUsers(logins: readonly (readonly [name: string, password: string])[]): string {
  return logins.map(([name, password]) => `${quoted(name)} ${quoted(password)}\n`).join("");
}
