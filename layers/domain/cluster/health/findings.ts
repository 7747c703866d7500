import { type DueBackup, type LastBackups, lateBackups } from "../../backup/due.ts";
import { dcsBytesMax } from "../../config/etcd.ts";
import type { ClusterNode } from "../cluster.ts";
import { synchronousStandbys } from "../layout.ts";
import { healthLimits } from "./limits.ts";
import type { ObservedHealth, SeenInspection } from "./observed.ts";
import { isSilent } from "./silence.ts";

/** In the order of how bad it is: the status tells the first one. */
export const findingKinds = [
  "no-answer",
  "no-quorum",
  "no-leader",
  "node-silent",
  "member-down",
  "patroni-down",
  "dcs-member-down",
  "disk-full",
  "dcs-near-quota",
  "connections-short",
  "not-synchronous",
  "member-lags",
  "haproxy-down",
  "pooler-down",
  "wal-not-archived",
  "wal-piles-up",
  "backup-late",
  "drill-failed",
  "verification-failed",
  "certificate-expires",
  "clock-skew",
] as const;
export type FindingKind = (typeof findingKinds)[number];

/** One thing that is not well. */
export interface Finding {
  readonly kind: FindingKind;
  readonly nodeId: string | null;
  /** A sentence that says what and where. */
  readonly sentence: string;
}

/** The same trouble at the same place has the same key, whatever its numbers. */
export const keyOf = (finding: Finding): string => `${finding.kind} ${finding.nodeId ?? ""}`.trim();

/** The other way round; null: a key of something else. */
export function findingOfKey(key: string): Pick<Finding, "kind" | "nodeId"> | null {
  const [name, nodeId = null] = key.split(" ");
  const kind = findingKinds.find((one) => one === name);
  return kind === undefined ? null : { kind, nodeId };
}

const nameOf = (node: ClusterNode): string => `node ${node.id} in ${node.zone}`;

const finding = (kind: FindingKind, node: ClusterNode | null, sentence: string): Finding => ({
  kind,
  nodeId: node?.id ?? null,
  sentence: `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`,
});

/**
 * Everything that is not well, the worst first.
 * @param lastBackups what is remembered of backups, also of those that are gone
 */
export function findingsOf(observed: ObservedHealth, lastBackups: LastBackups = {}): Finding[] {
  const { nodes } = observed.cluster;
  const silent = nodes.filter((node) => isSilent(node, observed));
  const audible = nodes.filter((node) => !silent.includes(node));
  const found = [
    ...clusterFindings(observed, silent),
    ...backupFindings(observed, lastBackups),
    ...proofFindings(observed.cluster),
    ...silent.map((node) => finding("node-silent", node, silenceOf(node, observed))),
    ...audible.flatMap((node) => surveyFindings(node, observed)),
    ...audible.flatMap((node) => {
      const inspection = observed.inspections.get(node.id);
      return inspection === undefined ? [] : inspectionFindings(node, inspection);
    }),
  ];
  return withoutRepetition(found).toSorted(
    (left, right) => findingKinds.indexOf(left.kind) - findingKinds.indexOf(right.kind),
  );
}

/** A service that is down is seen by its neighbour and told by its node: the first of both is enough. */
function withoutRepetition(found: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return found.filter((one) => {
    const key = keyOf(one);
    return seen.has(key) ? false : seen.add(key);
  });
}

function silenceOf(node: ClusterNode, { instances }: ObservedHealth): string {
  const base = `${nameOf(node)} gives no sign of life`;
  if (instances === null) return base;
  const life = instances.get(node.id)?.life;
  if (life === "running") return `${base}, although its instance runs`;
  return life === undefined || life === "terminated"
    ? `${base}: it has no instance`
    : `${base}: its instance is ${life}`;
}

function clusterFindings({ cluster, survey }: ObservedHealth, silent: readonly ClusterNode[]): Finding[] {
  if (survey === null) {
    const isAllSilent = silent.length === cluster.nodes.length;
    const why = isAllSilent ? "none of its instances runs" : "none of its nodes takes commands";
    return [finding("no-answer", null, `the cluster cannot be seen: ${why}`)];
  }
  const { dcs, members } = survey.observation;
  if (!dcs.quorum) {
    const healthy = dcs.members.filter((member) => member.healthy).length;
    const sick = dcs.members.filter((member) => !member.healthy).map((member) => member.nodeId);
    const sentence = `etcd has no majority: ${healthy} of ${dcs.members.length} members are healthy (not ${sick.join(", ")}), and without one nothing can be written`;
    return [finding("no-quorum", null, sentence)];
  }
  const shards = [...new Set(cluster.nodes.map((node) => node.shard))];
  const leaderless = shards.filter((shard) => {
    const ids = cluster.nodes.filter((node) => node.shard === shard).map((node) => node.id);
    return !members.some((one) => ids.includes(one.nodeId) && one.role === "leader" && isUp(one));
  });
  if (leaderless.length > 0) {
    return [
      finding("no-leader", null, `shard ${leaderless.join(", ")} has no leader: nothing can be written`),
    ];
  }
  return synchronousFindings({ cluster, members });
}

type Members = NonNullable<ObservedHealth["survey"]>["observation"]["members"];

/** `streaming` is a replica's word for being well, `running` a leader's. */
function isUp(member: Members[number]): boolean {
  return member.state === (member.role === "leader" ? "running" : "streaming");
}

function synchronousFindings(known: {
  readonly cluster: ObservedHealth["cluster"];
  readonly members: Members;
}): Finding[] {
  const { spec } = known.cluster;
  const wanted = synchronousStandbys(spec);
  const there = known.members.filter((member) => member.role === "sync-standby" && isUp(member)).length;
  if (there >= wanted) return [];
  const consequence =
    spec.durability === "strict"
      ? "commits wait until one is"
      : "a commit is on the leader alone until one is";
  return [finding("not-synchronous", null, `no replica is synchronous: ${consequence}`)];
}

function backupFindings({ backups, cluster, now }: ObservedHealth, lastBackups: LastBackups): Finding[] {
  if (backups === null || cluster.schedules === null) return [];
  const late = lateBackups(cluster.schedules, { backups, lastBackups }, now);
  return late.length === 0 ? [] : [finding("backup-late", null, lateness(late))];
}

/** What the last proof of the backups has said stands until the next one says something else. */
function proofFindings({ lastDrill, lastVerification }: ObservedHealth["cluster"]): Finding[] {
  const found: Finding[] = [];
  if (lastDrill?.ok === false) {
    const { at, backupId, message } = lastDrill;
    const sentence = `the last drill, of backup ${backupId} at ${at}, has failed: ${withoutDot(message ?? "it gave no reason")}`;
    found.push(finding("drill-failed", null, sentence));
  }
  if (lastVerification?.ok === false) {
    const { at, message } = lastVerification;
    const sentence = `what is stored of the backups could not be verified at ${at}: ${withoutDot(message ?? "it gave no reason")}`;
    found.push(finding("verification-failed", null, sentence));
  }
  return found;
}

/** The first is the one that the others build on. */
function lateness(late: readonly DueBackup[]): string {
  const [worst] = late;
  if (worst === undefined) return "";
  const { at, failures, message } = worst;
  const kinds = late.map(({ kind }) => kind).join(" and ");
  const tries = failures === 1 ? "a try has failed with" : `${failures} tries have failed, the last one with`;
  const why = failures === 0 ? "none could begin" : `${tries}: ${message}`;
  return `no ${kinds} backup has been taken since one was due at ${at}: ${withoutDot(why)}`;
}

const withoutDot = (text: string): string => text.replace(/\.$/, "");

function surveyFindings(node: ClusterNode, { survey }: ObservedHealth): Finding[] {
  if (survey === null) return [];
  const { dcs, members } = survey.observation;
  const found: Finding[] = [];
  const dcsMember = dcs.members.find((one) => one.nodeId === node.id);
  if (dcsMember?.healthy === false) {
    found.push(finding("dcs-member-down", node, `etcd on ${nameOf(node)} is not healthy`));
  }
  const dcsUsedShare = (dcsMember?.dbBytes ?? 0) / dcsBytesMax;
  if (dcsUsedShare > healthLimits.dcsUsedShareMax) {
    const sentence = `etcd on ${nameOf(node)} has used ${percentOf(dcsUsedShare)} of its quota`;
    found.push(finding("dcs-near-quota", node, sentence));
  }
  const seen = survey.neighbours.find((one) => one.nodeId === node.id);
  if (seen?.haproxy === false) {
    found.push(finding("haproxy-down", node, `HAProxy on ${nameOf(node)} takes no connections`));
  }
  if (seen?.pgbouncer === false) {
    found.push(finding("pooler-down", node, `PgBouncer on ${nameOf(node)} takes no connections`));
  }
  if (!node.services.includes("postgres") || !dcs.quorum) return found;
  if (seen?.patroni === false) {
    found.push(finding("patroni-down", node, `Patroni on ${nameOf(node)} does not answer`));
    return found;
  }
  const member = members.find((one) => one.nodeId === node.id);
  if (member === undefined) {
    found.push(finding("member-down", node, `Patroni knows no member on ${nameOf(node)}`));
  } else if (!isUp(member)) {
    found.push(finding("member-down", node, `PostgreSQL on ${nameOf(node)} is ${stateOf(member)}`));
  } else if ((member.lagBytes ?? 0) > healthLimits.lagBytesMax) {
    const sentence = `the replica on ${nameOf(node)} is ${mebibytes(member.lagBytes ?? 0)} behind the leader`;
    found.push(finding("member-lags", node, sentence));
  }
  return found;
}

/** A replica that runs without streaming reads from its leader nothing that is new. */
function stateOf(member: Members[number]): string {
  return member.role !== "leader" && member.state === "running"
    ? "running but does not stream from the leader"
    : `${member.state}, not ${member.role === "leader" ? "running" : "streaming"}`;
}

const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 ** 2)} MiB`;
const percentOf = (share: number): string => `${Math.floor(share * 100)} %`;
const daySeconds = 24 * 60 * 60;

const programs: ReadonlyMap<string, readonly [FindingKind, string]> = new Map([
  ["etcd.service", ["dcs-member-down", "etcd"]],
  ["patroni.service", ["patroni-down", "Patroni"]],
  ["haproxy.service", ["haproxy-down", "HAProxy"]],
  ["pgbouncer.service", ["pooler-down", "PgBouncer"]],
]);

/** What only the node itself can tell. */
function inspectionFindings(node: ClusterNode, inspection: SeenInspection): Finding[] {
  const { connections, disk, wal, services } = inspection;
  const name = nameOf(node);
  const found: Finding[] = [];
  const usedShare = disk.totalBytes === 0 ? 0 : disk.usedBytes / disk.totalBytes;
  if (usedShare > healthLimits.diskUsedShareMax) {
    found.push(finding("disk-full", node, `the data volume of ${name} is ${percentOf(usedShare)} full`));
  }
  if (connections !== null && connections.used > connections.max * healthLimits.connectionsUsedShareMax) {
    const sentence = `clients use ${connections.used} of the ${connections.max} connections of PostgreSQL on ${name}`;
    found.push(finding("connections-short", node, sentence));
  }
  for (const [unit, state] of Object.entries(services)) {
    const program = programs.get(unit);
    if (state === "active" || program === undefined) continue;
    const [kind, programName] = program;
    const what = state === "failed" ? "has failed" : "does not run";
    found.push(finding(kind, node, `${programName} on ${name} ${what}`));
  }
  const isOld = (wal.oldestReadySeconds ?? 0) > healthLimits.walReadySecondsMax;
  if (isOld || wal.readyCount > healthLimits.walReadyCountMax) {
    const sentence = `${wal.readyCount} WAL segments of ${name} wait to be archived, the oldest for ${Math.floor(wal.oldestReadySeconds ?? 0)} s`;
    found.push(finding("wal-not-archived", node, sentence));
  }
  if (wal.bytes > disk.totalBytes * healthLimits.walShareMax) {
    found.push(
      finding("wal-piles-up", node, `WAL takes ${mebibytes(wal.bytes)} of the data volume of ${name}`),
    );
  }
  const secondsLeft = inspection.certificateSecondsLeft;
  if (secondsLeft < healthLimits.certificateDaysMin * daySeconds) {
    const sentence = `the certificate of ${name} ${secondsLeft < 0 ? "has expired on" : "expires on"} ${inspection.certificateNotAfter}`;
    found.push(finding("certificate-expires", node, sentence));
  }
  if (inspection.clockSkewMs > healthLimits.clockSkewMsMax) {
    const seconds = (inspection.clockSkewMs / 1000).toFixed(1);
    found.push(finding("clock-skew", node, `the clock of ${name} is off by ${seconds} s`));
  }
  return found;
}
