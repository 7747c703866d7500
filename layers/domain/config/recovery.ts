import { type RestoreSource, recoverySettings } from "../backup/restore.ts";
import { findInstanceType } from "../cluster/instance-types.ts";
import { nodePorts } from "../cluster/node-ports.ts";
import type { ClusterSpec } from "../cluster/spec.ts";
import type { RestoredFrom } from "../node/in-place-verbs.ts";
import { settleParameters } from "../postgres/spec-parameters.ts";
import { configurationFiles, nodePaths } from "./paths.ts";
import { stanza } from "./pgbackrest.ts";
import { postgresParameters } from "./postgres-parameters.ts";

/** A PostgreSQL that is led to its target by itself, before Patroni knows of it. */

/** What an operation leaves on the data volume, beside the data. */
export interface InPlacePaths {
  /** The data that was there before. */
  readonly aside: string;
  /** What was brought and is to go. */
  readonly discarded: string;
  /** What is known of how far it has come: it outlives the machine. */
  readonly note: string;
  readonly configuration: string;
}

export function inPlacePaths(operationId: string): InPlacePaths {
  const path = (what: string): string => `${nodePaths.postgresParent}/${what}-${operationId}`;
  return {
    aside: path("aside"),
    discarded: path("discarded"),
    note: `${path("note")}.json`,
    configuration: `${path("recovery")}.conf`,
  };
}

const pathOfOperation = /^(?:aside|discarded|note|recovery)-(opn_[0-9A-Z]{26})(?:\.json|\.conf)?$/;

/** Whose it is, for the name of something beside the data; null for the data itself and whatever else is there. */
export const operationOfPath = (name: string): string | null => pathOfOperation.exec(name)?.[1] ?? null;

/** The systemd units that copy the backup, and run PostgreSQL up to its target. */
export const copyingUnit = (operationId: string): string => `pgherd-restore-${operationId}.service`;
export const recoveryUnit = (operationId: string): string => `pgherd-recovery-${operationId}.service`;

const program = `/usr/bin/pgbackrest --config=${configurationFiles.pgbackrest} --stanza=${stanza}`;
/** Nothing is fetched ahead: what is there of an earlier recovery may be of another timeline. */
const fetch = `${program} --no-archive-async archive-get %f "%p"`;

const processesMax = 8;

/** Nothing else needs the processors meanwhile. */
export function copyArguments(label: string, instanceType: string): string[] {
  const processes = Math.min(processesMax, findInstanceType(instanceType)?.vcpus ?? 1);
  return [
    ...program.split(" "),
    `--set=${label}`,
    "--type=none",
    // What a try before this one left there is no hindrance.
    "--delta",
    `--process-max=${processes}`,
    "--log-level-console=info",
    "restore",
  ];
}

/** PostgreSQL takes one at most, and the data may bring one along. */
const targets = [
  "recovery_target",
  "recovery_target_lsn",
  "recovery_target_name",
  "recovery_target_time",
  "recovery_target_xid",
];

/** Before the target that there is: PostgreSQL takes the empty word for a second one where it comes after. */
function withoutOthers(recovery: Readonly<Record<string, string>>): Record<string, string> {
  const others = targets.filter((name) => recovery[name] === undefined).map((name) => [name, ""]);
  return { ...Object.fromEntries(others), ...recovery };
}

/** Nothing: PostgreSQL insists on a command, and then looks into its own directory. */
const fetchNothing = "/bin/false";

/** What is kept begins where it was stopped: it needs no WAL but its own, and a number that nobody has used. */
function recoveryOf(from: RestoredFrom): Record<string, string> {
  if (from.kind === "backup") {
    const { exclusive, target, timeline } = from;
    const source: Pick<RestoreSource, "target" | "exclusive" | "timeline"> = { target, exclusive, timeline };
    return { restore_command: fetch, ...recoverySettings(source) };
  }
  const { left, withArchive } = from;
  if (!withArchive) return { restore_command: fetchNothing, recovery_target_timeline: "current" };
  return { restore_command: fetch, recovery_target_timeline: left === null ? "current" : String(left) };
}

/** As postgresql.conf wants it: a name of a restore point may have anything in it. */
const quoted = (value: string): string =>
  `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''").replaceAll("\n", "\\n").replaceAll("\r", "\\r")}'`;

/**
 * Nobody comes in but by the local socket, and WAL is kept for the archiver that comes later: what is archived cannot be
 * taken back. Without hot standby, PostgreSQL does not compare its own settings with those of when the WAL was written.
 */
export function renderRecovery(spec: ClusterSpec, from: RestoredFrom): string {
  const { member, shared } = settleParameters(spec);
  const settings = {
    ...postgresParameters({ ...shared, ...member }, ""),
    wal_level: "replica",
    wal_log_hints: "on",
    listen_addresses: "",
    port: String(nodePorts.postgres),
    ssl: "off",
    hot_standby: "off",
    synchronous_standby_names: "",
    ...withoutOthers(recoveryOf(from)),
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${quoted(value)}\n`)
    .join("");
}
