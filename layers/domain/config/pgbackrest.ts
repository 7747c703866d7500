import { recoverySettings } from "../backup/restore.ts";
import { type StoreKeys, storeHost } from "../backup/store.ts";
import { findInstanceType } from "../cluster/instance-types.ts";
import { memberName } from "../cluster/names.ts";
import { nodePorts } from "../cluster/node-ports.ts";
import type { NodeIntent, NodeRestore, Peer, Repository } from "../node/protocol.ts";
import { configurationFiles, nodePaths, tlsFiles } from "./paths.ts";
import { hardening, header, install } from "./units.ts";
import type { YamlMapping } from "./yaml.ts";

/** A repository holds one shard, so there is one stanza in it, which is called the same everywhere. */
export const stanza = "main";
/** The key of the annotation that tells which of our backups one in the repository is. */
export const backupAnnotation = "pgherd-backup";
export const backupServerUnit = "pgbackrest.service";

/** The systemd unit that takes one backup. */
export const backupTakingUnit = (backupId: string): string => `pgherd-backup-${backupId}.service`;

/** The systemd unit that looks at restored data. */
export const drillUnit = (operationId: string): string => `pgherd-drill-${operationId}.service`;

/** The systemd unit that reads a whole repository. */
export const verificationUnit = (operationId: string): string => `pgherd-verify-${operationId}.service`;

/** The systemd unit that loads a database from a logical backup. */
export const loadUnit = (operationId: string): string => `pgherd-load-${operationId}.service`;

/** More processes only wait for each other and for S3. */
const processesMax = 8;
/** Half of the processors stay for PostgreSQL. */
const processorShare = 1 / 2;
/** Segments are small: two at a time keep up with what a volume can write. */
const archiveProcesses = 2;
/**
 * PostgreSQL does not end while a segment is on its way, so a repository that does not answer must not hold up a
 * planned step down for long; what is not archived by then is tried again.
 */
const archivePushSeconds = 15;
/** A busy repository, and a segment that waits behind many others. */
const archiveWaitSeconds = 300;

export function backupProcesses(instanceType: string): number {
  const vcpus = findInstanceType(instanceType)?.vcpus ?? 1;
  return Math.min(processesMax, Math.max(1, Math.floor(vcpus * processorShare)));
}

/** Nothing else needs the processors yet. */
const restoreProcesses = (instanceType: string): number =>
  Math.min(processesMax, findInstanceType(instanceType)?.vcpus ?? 1);

type Settings = readonly (readonly [name: string, value: string | number])[];

const section = (name: string, settings: Settings): string =>
  `[${name}]\n${settings.map(([key, value]) => `${key}=${value}\n`).join("")}`;

/** What opens a repository. */
export interface RepositorySecrets {
  /** What everything in it is encrypted with. */
  readonly cipherPass: string;
  /** Of a store of somebody else's; null: the node's role is enough. */
  readonly keys: StoreKeys | null;
}

function access({ region, store }: Repository, keys: StoreKeys | null): Settings {
  if (store === undefined) {
    return [
      ["repo1-s3-endpoint", `s3.${region}.amazonaws.com`],
      ["repo1-s3-region", region],
      ["repo1-s3-uri-style", "path"],
      // The instance's role, by IMDSv2.
      ["repo1-s3-key-type", "auto"],
    ];
  }
  if (keys === null) throw new Error(`there are no keys for ${store.endpoint}`);
  const { accessKeyId, secretAccessKey, sessionToken } = keys;
  return [
    ["repo1-s3-endpoint", storeHost(store)],
    ["repo1-s3-region", region],
    ["repo1-s3-uri-style", store.pathStyle ? "path" : "host"],
    ["repo1-s3-key-type", "shared"],
    ["repo1-s3-key", accessKeyId],
    ["repo1-s3-key-secret", secretAccessKey],
    ...(sessionToken === undefined ? [] : ([["repo1-s3-token", sessionToken]] as const)),
  ];
}

function repository(repo: Repository, { cipherPass, keys }: RepositorySecrets): Settings {
  const { bucket, prefix } = repo;
  return [
    ["repo1-type", "s3"],
    ["repo1-path", prefix],
    ["repo1-s3-bucket", bucket],
    ...access(repo, keys),
    ["repo1-storage-verify-tls", "y"],
    ["repo1-cipher-type", "aes-256-cbc"],
    ["repo1-cipher-pass", cipherPass],
    ["repo1-bundle", "y"],
    ["repo1-block", "y"],
  ];
}

/** The node itself is always the first: what archives and what is asked here is about it. */
function members(peers: readonly Peer[], self: Peer): Settings {
  const tls = tlsFiles("postgres");
  const others = peers.filter(
    (peer) => peer.nodeId !== self.nodeId && peer.shard === self.shard && peer.services.includes("postgres"),
  );
  const place = (index: number): Settings => [
    [`pg${index}-path`, nodePaths.postgresData],
    [`pg${index}-socket-path`, nodePaths.postgresSocket],
    [`pg${index}-user`, "postgres"],
  ];
  return [
    ...place(1),
    ...others.flatMap((peer, at): Settings => {
      const index = at + 2;
      return [
        [`pg${index}-host`, peer.address],
        [`pg${index}-host-type`, "tls"],
        [`pg${index}-host-port`, nodePorts.backup],
        [`pg${index}-host-config`, configurationFiles.pgbackrest],
        [`pg${index}-host-ca-file`, tls.authority],
        [`pg${index}-host-cert-file`, tls.certificate],
        [`pg${index}-host-key-file`, tls.key],
        ...place(index),
      ];
    }),
  ];
}

/** Nodes of the shard may have this one read for them, and nobody else. */
function server(peers: readonly Peer[], self: Peer): Settings {
  const tls = tlsFiles("postgres");
  const callers = peers.filter((peer) => peer.shard === self.shard && peer.services.includes("postgres"));
  return [
    ["tls-server-address", self.address],
    ["tls-server-port", nodePorts.backup],
    ["tls-server-ca-file", tls.authority],
    ["tls-server-cert-file", tls.certificate],
    ["tls-server-key-file", tls.key],
    ...callers.map((peer) => ["tls-server-auth", `${memberName(peer.nodeId)}=${stanza}`] as const),
  ];
}

/** pgBackRest of one node; holds what opens the repository, so only PostgreSQL's user may read it. */
export function renderPgbackrest(
  intent: Pick<NodeIntent, "spec" | "peers">,
  self: Peer,
  repo: Repository,
  secrets: RepositorySecrets,
): string {
  return [
    section("global", [
      ...repository(repo, secrets),
      ...server(intent.peers, self),
      ["process-max", backupProcesses(intent.spec.instanceType)],
      ["compress-type", "zst"],
      ["archive-async", "y"],
      ["archive-timeout", archiveWaitSeconds],
      ["spool-path", nodePaths.backupSpool],
      ["lock-path", nodePaths.backupLocks],
      // Everything is in the journal.
      ["log-level-file", "off"],
      ["log-level-console", "warn"],
      ["log-timestamp", "n"],
      ["start-fast", "y"],
      ["backup-standby", "prefer"],
      // Nothing goes because another backup has come: that is decided elsewhere.
      ["expire-auto", "n"],
    ]),
    section("global:archive-push", [
      ["process-max", archiveProcesses],
      ["archive-timeout", archivePushSeconds],
    ]),
    section(stanza, members(intent.peers, self)),
  ].join("\n");
}

/** The repository of another cluster, to read from; the secrets are that cluster's. */
export function renderRestoreSource(
  intent: Pick<NodeIntent, "spec">,
  { repository: source }: NodeRestore,
  secrets: RepositorySecrets,
): string {
  return [
    section("global", [
      ...repository(source, secrets),
      ["process-max", restoreProcesses(intent.spec.instanceType)],
      ["spool-path", nodePaths.backupSpool],
      ["lock-path", nodePaths.backupLocks],
      ["log-level-file", "off"],
      ["log-level-console", "info"],
      ["log-timestamp", "n"],
    ]),
    section(stanza, [["pg1-path", nodePaths.postgresData]]),
  ].join("\n");
}

/** How Patroni makes the data of a restored cluster's first member: from the backup, and then WAL up to the target. */
export function restoreBootstrap({ source }: NodeRestore): YamlMapping {
  const program = `/usr/bin/pgbackrest --config=${configurationFiles.restore} --stanza=${stanza}`;
  return {
    method: "restore",
    restore: {
      // What a try before this one left there is no hindrance.
      command: `${program} --set=${source.label} --type=none --delta restore`,
      no_params: true,
      recovery_conf: {
        restore_command: `${program} archive-get %f "%p"`,
        ...recoverySettings(source),
      },
    },
  };
}

/** What PostgreSQL runs for each segment; until there is a repository, WAL goes nowhere. */
export function archiveCommand(repo: Repository | null): string {
  return repo === null
    ? "/bin/true"
    : `/usr/bin/pgbackrest --config=${configurationFiles.pgbackrest} --stanza=${stanza} archive-push "%p"`;
}

/** The kernel takes PostgreSQL's backends before it, and it before what keeps the node going. */
const oomScore = -500;

/** Another node that takes a backup asks this one for what only the leader knows. */
export function renderBackupServerUnit(): string {
  return `${header("pgBackRest, for backups that another node takes", [`RequiresMountsFor=${nodePaths.data}`])}

[Service]
Type=simple
User=postgres
ExecStart=/usr/bin/pgbackrest --config=${configurationFiles.pgbackrest} server
ExecReload=/bin/kill -HUP $MAINPID
SyslogIdentifier=pgbackrest
Restart=always
RestartSec=1
TimeoutStopSec=5
OOMScoreAdjust=${oomScore}
ReadWritePaths=${nodePaths.backup}
${hardening}

${install}`;
}
