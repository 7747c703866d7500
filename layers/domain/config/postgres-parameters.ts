import { nodePaths, tlsFiles } from "./paths.ts";

const tls = tlsFiles("postgres");

/** What every member has, whatever the spec says; parameter-rules.ts refuses these in a spec. */
const fixed: Readonly<Record<string, string>> = {
  unix_socket_directories: nodePaths.postgresSocket,
  password_encryption: "scram-sha-256",
  ssl: "on",
  ssl_cert_file: tls.certificate,
  ssl_key_file: tls.key,
  ssl_ca_file: tls.authority,
  ssl_min_protocol_version: "TLSv1.2",
  // Patroni and systemd take what PostgreSQL writes to standard error to the journal.
  log_destination: "stderr",
  logging_collector: "off",
  // Switching archive_mode on takes a restart, so it is on also where there is no archive.
  archive_mode: "on",
};

/** What every member has unless the spec says otherwise. */
const preset: Readonly<Record<string, string>> = {
  // What a cluster that hardly writes would lose with its volumes.
  archive_timeout: "60s",
  log_line_prefix: "%m [%p] %q%u@%d/%a ",
  log_checkpoints: "on",
  log_lock_waits: "on",
  log_temp_files: "10MB",
  log_autovacuum_min_duration: "1min",
  // Half-open connections of clients and replicas that are gone are noticed within a minute.
  tcp_keepalives_idle: "30",
  tcp_keepalives_interval: "10",
  tcp_keepalives_count: "3",
  tcp_user_timeout: "30000",
  wal_sender_timeout: "20s",
  wal_receiver_timeout: "20s",
  wal_receiver_status_interval: "1s",
  wal_retrieve_retry_interval: "500ms",
  wal_compression: "lz4",
  track_io_timing: "on",
};

/**
 * @param settled what the spec and the machine's size ask for
 * @param archiveCommand what PostgreSQL runs for each WAL segment that is full
 */
export function postgresParameters(
  settled: Readonly<Record<string, string>>,
  archiveCommand: string,
): Record<string, string> {
  return { ...preset, ...settled, ...fixed, archive_command: archiveCommand };
}
