import { memberName, patroniScope } from "../cluster/names.ts";
import { nodePorts } from "../cluster/node-ports.ts";
import type { ClusterSpec, Durability, FailoverProfile } from "../cluster/spec.ts";
import type { NodeIntent, Peer } from "../node/protocol.ts";
import { settleParameters } from "../postgres/spec-parameters.ts";
import { dcsPeers } from "./etcd.ts";
import { configurationFiles, nodePaths, tlsFiles } from "./paths.ts";
import { archiveCommand, restoreBootstrap } from "./pgbackrest.ts";
import { accessRules, identityMap } from "./postgres-access.ts";
import { postgresParameters } from "./postgres-parameters.ts";
import { renderYaml, type YamlMapping } from "./yaml.ts";

/**
 * Patroni's timing. The leader's key lives `ttl` seconds; a loop and two retries must fit into it, or a leader that
 * cannot reach etcd would still be running when another one is elected.
 */
export const failoverTiming = {
  /** Only under the start wrapper: Patroni itself allows no ttl below 20. */
  fast: { ttl: 7, loop_wait: 1, retry_timeout: 2 },
  standard: { ttl: 20, loop_wait: 1, retry_timeout: 9 },
  /** Patroni's own. */
  cautious: { ttl: 30, loop_wait: 10, retry_timeout: 10 },
} as const satisfies Record<FailoverProfile, YamlMapping>;
const namespace = "/pgherd/";

/** Where Patroni writes in etcd who leads a shard. */
export function leaderKey(clusterId: string, shard: number): string {
  return `${namespace}${patroniScope(clusterId, shard)}/leader`;
}

/** An asynchronous replica that is further behind is not promoted by itself. */
const lagBytesMaxOnFailover = 16 * 1024 ** 2;
/** A replica that is away keeps its slot this long; max_slot_wal_keep_size bounds what that costs. */
const memberSlotsTtl = "30min";

/**
 * A quarter of PostgreSQL's own: a leader that steps down fills its segment up and sends it to the standbys, and one
 * that is promoted copies one, while clients wait (docs/decisions/wal-segments.md).
 */
const walSegmentMiB = 4;

/** Of a restore: until the data of the backup is consistent. */
const recoverySecondsMax = 24 * 3600;

export interface PatroniSecrets {
  readonly replicator: string;
  readonly rewind: string;
  readonly patroni: string;
}

function synchronous(durability: Durability): YamlMapping {
  switch (durability) {
    case "async":
      return { synchronous_mode: false, synchronous_mode_strict: false, synchronous_node_count: 1 };
    case "sync":
      return { synchronous_mode: true, synchronous_mode_strict: false, synchronous_node_count: 1 };
    case "strict":
      return { synchronous_mode: true, synchronous_mode_strict: true, synchronous_node_count: 1 };
    case "quorum":
      return { synchronous_mode: "quorum", synchronous_mode_strict: false, synchronous_node_count: 1 };
  }
}

/** What Patroni keeps in the DCS for the whole shard: the bootstrap writes it there; later it is changed by PATCH. */
export function dynamicConfiguration(spec: ClusterSpec): YamlMapping {
  const { shared } = settleParameters(spec);
  return {
    ...failoverTiming[spec.failover.profile],
    maximum_lag_on_failover: lagBytesMaxOnFailover,
    // A crashed leader gives way at once where somebody can take over, and is started again where nobody can.
    primary_start_timeout: 0,
    // While etcd is away, the leader goes on as long as every member agrees that it leads.
    failsafe_mode: true,
    member_slots_ttl: memberSlotsTtl,
    ...synchronous(spec.durability),
    postgresql: {
      use_pg_rewind: true,
      use_slots: true,
      parameters: { wal_level: "replica", hot_standby: "on", wal_log_hints: "on", ...shared },
    },
  };
}

function restApi(self: Peer, secrets: PatroniSecrets): YamlMapping {
  const tls = tlsFiles("postgres");
  return {
    listen: `0.0.0.0:${nodePorts.patroni}`,
    connect_address: `${self.address}:${nodePorts.patroni}`,
    cafile: tls.authority,
    certfile: tls.certificate,
    keyfile: tls.key,
    // Health checks come without a certificate; every verb that changes something needs one, and the password.
    verify_client: "optional",
    authentication: { username: "patroni", password: secrets.patroni },
  };
}

function login(username: string, password: string): YamlMapping {
  return { username, password, sslmode: "verify-full", sslrootcert: tlsFiles("postgres").authority };
}

function postgresql(
  { backups, restore, spec }: Pick<NodeIntent, "spec" | "backups" | "restore">,
  self: Peer,
  secrets: PatroniSecrets,
): YamlMapping {
  return {
    listen: `0.0.0.0:${nodePorts.postgres}`,
    connect_address: `${self.address}:${nodePorts.postgres}`,
    data_dir: nodePaths.postgresData,
    bin_dir: nodePaths.postgresBin,
    pgpass: "/run/patroni/pgpass",
    use_unix_socket: true,
    // Patroni gives a bootstrap up whose PostgreSQL takes no connection within a minute; WAL can take longer.
    ...(restore === null ? {} : { pg_ctl_timeout: recoverySecondsMax }),
    authentication: {
      // No password: postgres logs in on the local socket only.
      superuser: { username: "postgres" },
      replication: login("replicator", secrets.replicator),
      rewind: login("rewind", secrets.rewind),
    },
    parameters: postgresParameters(settleParameters(spec).member, archiveCommand(backups)),
    pg_hba: accessRules,
    pg_ident: identityMap,
    basebackup: [{ checkpoint: "fast" }],
    ...(backups === null
      ? {}
      : { callbacks: { on_role_change: `/usr/bin/python3 ${configurationFiles.archiveMender}` } }),
  };
}

/** Patroni of one node; holds three passwords, so only its user may read it. */
export function renderPatroni(
  intent: Pick<NodeIntent, "clusterId" | "spec" | "peers" | "backups" | "restore">,
  self: Peer,
  secrets: PatroniSecrets,
): string {
  const tls = tlsFiles("postgres");
  const identity = { cacert: tls.authority, cert: tls.certificate, key: tls.key };
  return renderYaml({
    scope: patroniScope(intent.clusterId, self.shard),
    namespace,
    name: memberName(self.nodeId),
    log: { level: "INFO", format: "%(levelname)s: %(message)s" },
    restapi: restApi(self, secrets),
    ctl: { cacert: tls.authority, certfile: tls.certificate, keyfile: tls.key },
    etcd3: {
      hosts: dcsPeers(intent.peers).map((peer) => `${peer.address}:${nodePorts.etcdClient}`),
      protocol: "https",
      ...identity,
    },
    bootstrap: {
      dcs: dynamicConfiguration(intent.spec),
      ...(intent.restore === null ? {} : restoreBootstrap(intent.restore)),
      initdb: [
        { encoding: "UTF8" },
        { "locale-provider": "builtin" },
        { locale: "C.UTF-8" },
        { "builtin-locale": "C.UTF-8" },
        { "auth-local": "peer" },
        { "auth-host": "scram-sha-256" },
        { "wal-segsize": String(walSegmentMiB) },
        "data-checksums",
      ],
    },
    postgresql: postgresql(intent, self, secrets),
    watchdog: { mode: "off" },
    tags: { nofailover: false, noloadbalance: false, clonefrom: false, nosync: false },
  });
}
