/** Parameters of PostgreSQL that a spec may not set, each with the reason that the caller reads. */

const patroni = "Patroni owns it: it must agree with the member's role and with the other members";
const pgherd = "pgherd owns it";
const archiving = "pgherd owns WAL archiving and recovery";
const tls = "pgherd owns it: every connection is encrypted with the cluster's own certificates";
const logging = "pgherd owns it: PostgreSQL logs to the node's journal";
const files = "pgherd owns where PostgreSQL's files are";
const damage = "it can lose or damage data";
const libraries = "it loads code into the server";
const developer = "it is for work on PostgreSQL itself";
const perTransaction = "it holds for one transaction only; set the default_ parameter of the same name";
const tablespaces = "a node has one data volume and no tablespaces of its own";
const readOnly = "PostgreSQL sets it itself; it can only be read";
const kerberos = "logins use SCRAM passwords only";
const windows = "it has no effect on Linux";

const reasons: readonly (readonly [reason: string, names: readonly string[]])[] = [
  [
    patroni,
    [
      "cluster_name",
      "hot_standby",
      "listen_addresses",
      "port",
      "primary_conninfo",
      "primary_slot_name",
      "restart_after_crash",
      "synchronous_standby_names",
      "sync_replication_slots",
      "synchronized_standby_slots",
      "wal_level",
      "wal_log_hints",
      "allow_alter_system",
    ],
  ],
  [
    archiving,
    [
      "archive_cleanup_command",
      "archive_command",
      "archive_library",
      "archive_mode",
      "recovery_end_command",
      "recovery_init_sync_method",
      "recovery_min_apply_delay",
      "recovery_target",
      "recovery_target_action",
      "recovery_target_inclusive",
      "recovery_target_lsn",
      "recovery_target_name",
      "recovery_target_time",
      "recovery_target_timeline",
      "recovery_target_xid",
      "restore_command",
      "summarize_wal",
    ],
  ],
  [
    tls,
    [
      "ssl",
      "ssl_ca_file",
      "ssl_cert_file",
      "ssl_ciphers",
      "ssl_crl_dir",
      "ssl_crl_file",
      "ssl_dh_params_file",
      "ssl_ecdh_curve",
      "ssl_key_file",
      "ssl_max_protocol_version",
      "ssl_min_protocol_version",
      "ssl_passphrase_command",
      "ssl_passphrase_command_supports_reload",
      "ssl_prefer_server_ciphers",
    ],
  ],
  [
    logging,
    [
      "log_destination",
      "log_directory",
      "log_file_mode",
      "log_filename",
      "log_rotation_age",
      "log_rotation_size",
      "log_truncate_on_rotation",
      "logging_collector",
      "syslog_facility",
      "syslog_ident",
      "syslog_sequence_numbers",
      "syslog_split_messages",
    ],
  ],
  [
    files,
    [
      "config_file",
      "data_directory",
      "external_pid_file",
      "hba_file",
      "ident_file",
      "unix_socket_directories",
      "unix_socket_group",
      "unix_socket_permissions",
    ],
  ],
  [`${pgherd}: users log in with SCRAM passwords only`, ["password_encryption"]],
  [`${pgherd}: one logging process, one title`, ["update_process_title"]],
  [kerberos, ["gss_accept_delegation", "krb_caseins_users", "krb_server_keyfile"]],
  [
    damage,
    [
      "data_sync_retry",
      "fsync",
      "full_page_writes",
      "ignore_checksum_failure",
      "ignore_invalid_pages",
      "ignore_system_indexes",
      "zero_damaged_pages",
    ],
  ],
  [
    "it changes what every session does, replication and pgherd's own included; set it for a role or a session",
    [
      "application_name",
      "default_transaction_read_only",
      "exit_on_error",
      "session_replication_role",
      "lo_compat_privileges",
    ],
  ],
  [perTransaction, ["transaction_deferrable", "transaction_isolation", "transaction_read_only"]],
  [
    libraries,
    [
      "dynamic_library_path",
      "extension_destdir",
      "jit_provider",
      "local_preload_libraries",
      "output_plugin_libraries",
    ],
  ],
  [tablespaces, ["default_tablespace", "temp_tablespaces"]],
  [
    `${pgherd}: the machine's shared memory is set up for it`,
    ["dynamic_shared_memory_type", "huge_page_size", "shared_memory_type"],
  ],
  [windows, ["bonjour", "bonjour_name", "event_source"]],
  [
    developer,
    [
      "allow_in_place_tablespaces",
      "allow_system_table_mods",
      "backtrace_functions",
      "debug_discard_caches",
      "debug_io_direct",
      "debug_logical_replication_streaming",
      "debug_parallel_query",
      "jit_debugging_support",
      "jit_dump_bitcode",
      "jit_expressions",
      "jit_profiling_support",
      "jit_tuple_deforming",
      "post_auth_delay",
      "pre_auth_delay",
      "remove_temp_files_after_crash",
      "send_abort_for_crash",
      "send_abort_for_kill",
      "trace_connection_negotiation",
      "trace_notify",
      "trace_sort",
      "wal_consistency_checking",
    ],
  ],
];

const refused = new Map(reasons.flatMap(([reason, names]) => names.map((name) => [name, reason] as const)));

/** Why a spec may not set the parameter, or null when it may. */
export function refusalOf(name: string, context: string): string | null {
  if (context === "internal") return readOnly;
  return refused.get(name) ?? null;
}

/** Every name with a rule, for the test that each is a parameter of PostgreSQL. */
export const refusedNames: readonly string[] = [...refused.keys()];

/**
 * Patroni passes these to PostgreSQL from the DCS, the same on every member, because a standby must not have
 * less than its leader. Below its own least value Patroni silently takes its default, so that is refused.
 */
export const sharedParameters: Readonly<Record<string, { readonly least: number } | null>> = {
  max_connections: { least: 25 },
  max_wal_senders: { least: 10 },
  max_replication_slots: { least: 10 },
  max_prepared_transactions: { least: 0 },
  max_locks_per_transaction: { least: 32 },
  max_worker_processes: { least: 2 },
  wal_keep_size: { least: 16 },
  track_commit_timestamp: null,
};

/** Libraries that a spec may ask PostgreSQL to load. */
export const preloadableLibraries = [
  "auth_delay",
  "auto_explain",
  "passwordcheck",
  "pg_prewarm",
  "pg_stat_statements",
];
