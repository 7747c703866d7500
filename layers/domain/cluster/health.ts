import { lastBackupsOf } from "../backup/due.ts";
import { byInstant, instantOf } from "../backup/instant.ts";
import type { Drift } from "./cluster.ts";
import { driftOf } from "./health/drift.ts";
import { type Finding, findingsOf, keyOf } from "./health/findings.ts";
import type { ObservedHealth } from "./health/observed.ts";
import { isSilent } from "./health/silence.ts";
import type { HealthRecord } from "./health-record.ts";
import { withPauseReminder } from "./pause.ts";

export {
  type Finding,
  type FindingKind,
  findingKinds,
  findingOfKey,
  findingsOf,
  keyOf,
} from "./health/findings.ts";
export { type Healing, nodeToHeal } from "./health/healing.ts";
export { healthLimits } from "./health/limits.ts";
export type { InstanceLife, ObservedHealth, SeenInspection, SeenInstance } from "./health/observed.ts";
export { isLifeless, isSilent } from "./health/silence.ts";

export interface HealthEvent {
  readonly action: "cluster-degraded" | "cluster-recovered" | "leader-changed";
  readonly detail: string;
}

export interface Judgement {
  readonly status: "available" | "degraded";
  readonly statusReason: string;
  readonly drift: readonly Drift[];
  readonly record: HealthRecord;
  readonly events: readonly HealthEvent[];
  /** Keys of what was found, confirmed or not: the next judgement confirms by them. */
  readonly suspected: readonly string[];
}

/** Of a cluster that nobody has been promoted in yet. */
const firstTimeline = 1;

export const wellSentence = "Every member runs and answers its clients.";

/**
 * How a cluster is. What is found for the first time is only suspected: a failover or a restart that is over before
 * the next look is no state of the cluster. What the status already tells of needs no second look, and what is not
 * found any more is over at once.
 */
export function judge(
  observed: ObservedHealth,
  before: {
    readonly record: HealthRecord;
    readonly status: string;
    readonly suspected: readonly string[];
  },
): Judgement {
  const found = findingsOf(observed, before.record.lastBackups);
  const known = new Set([...before.suspected, ...before.record.findings]);
  const confirmed = found.filter((finding) => known.has(keyOf(finding)));
  const keys = [
    ...confirmed.map(keyOf),
    ...(observed.paused === null ? [] : [`paused ${observed.paused.since}`]),
  ];
  const leaders = leadersOf(observed);
  const status = confirmed.length === 0 ? "available" : "degraded";
  const statusReason = sentenceOf(confirmed, observed.paused);
  return {
    status,
    statusReason,
    drift: driftOf(observed),
    record: {
      findings: keys,
      leaders: { ...before.record.leaders, ...leaders },
      silentSince: silentSince(observed, before.record),
      certificatesUntil: certificatesUntil(observed) ?? before.record.certificatesUntil,
      archivedUntil: archivedUntil(observed, before.record.archivedUntil),
      lastBackups: lastBackupsOf(observed.backups ?? [], before.record.lastBackups),
    },
    events: [
      ...leaderEvents(before.record, leaders),
      ...statusEvents(
        { status: before.status, keys: before.record.findings },
        { status, keys, statusReason },
      ),
    ],
    suspected: found.map(keyOf),
  };
}

/** The worst is told whole, the rest counted; a pause is never forgotten. */
function sentenceOf(confirmed: readonly Finding[], paused: ObservedHealth["paused"]): string {
  const [worst, ...others] = confirmed;
  if (worst === undefined) return withPauseReminder(wellSentence, paused);
  if (others.length === 0) return withPauseReminder(worst.sentence, paused);
  const rest = others.map(keyOf).join(", ");
  return withPauseReminder(`${worst.sentence.slice(0, -1)} (also: ${rest}).`, paused);
}

function leadersOf({ cluster, survey }: ObservedHealth): HealthRecord["leaders"] {
  const leaders = (survey?.observation.members ?? []).filter((member) => member.role === "leader");
  return Object.fromEntries(
    leaders.flatMap(({ nodeId, timeline }) => {
      const shard = cluster.nodes.find((node) => node.id === nodeId)?.shard;
      return shard === undefined ? [] : [[String(shard), { nodeId, timeline }]];
    }),
  );
}

function leaderEvents(before: HealthRecord, leaders: HealthRecord["leaders"]): HealthEvent[] {
  return Object.entries(leaders).flatMap(([shard, { nodeId, timeline }]): HealthEvent[] => {
    const last = before.leaders[shard]?.nodeId;
    // The first look: nobody knows who led before, but that somebody did.
    const isFirst = last === undefined && (timeline === null || timeline === firstTimeline);
    if (isFirst || last === nodeId) return [];
    const instead = last === undefined ? "" : ` instead of ${last}`;
    const detail = `Shard ${shard} is led by ${nodeId}${instead}${timeline === null ? "" : `, on timeline ${timeline}`}.`;
    return [{ action: "leader-changed", detail }];
  });
}

function statusEvents(
  before: { readonly status: string; readonly keys: readonly string[] },
  now: {
    readonly status: Judgement["status"];
    readonly keys: readonly string[];
    readonly statusReason: string;
  },
): HealthEvent[] {
  if (now.status === "available") {
    return before.status === "degraded" ? [{ action: "cluster-recovered", detail: now.statusReason }] : [];
  }
  // What got better is no event of its own while something else is still wrong.
  const isSame = before.status === "degraded" && now.keys.every((key) => before.keys.includes(key));
  return isSame ? [] : [{ action: "cluster-degraded", detail: now.statusReason }];
}

/** The first end of a certificate; null as long as not every node has told its own. */
function certificatesUntil({ cluster, inspections }: ObservedHealth): string | null {
  const ends = cluster.nodes.flatMap(({ id }) => inspections.get(id)?.certificateNotAfter ?? []);
  return ends.length === cluster.nodes.length ? (ends.toSorted()[0] ?? null) : null;
}

/** It moves on with every segment; to write it down more often than this would be no news. */
const archivedStepMicros = 60n * 1_000_000n;

/** What the leaders say; of several shards the one that is behind. A replica only knows what the leader has sent. */
function archivedUntil(
  { cluster, inspections, survey }: ObservedHealth,
  before: string | null,
): string | null {
  const leaders = (survey?.observation.members ?? []).filter(({ role }) => role === "leader");
  const shards = new Set(cluster.nodes.map(({ shard }) => shard));
  const said = leaders.flatMap(({ nodeId }) => inspections.get(nodeId)?.wal.archivedUntil ?? []);
  const [first] = said.toSorted(byInstant);
  if (first === undefined || said.length < shards.size) return before;
  return before === null || instantOf(first) - instantOf(before) >= archivedStepMicros ? first : before;
}

/** A node that nobody could look for keeps its time; one that gave a sign loses it. */
function silentSince(observed: ObservedHealth, before: HealthRecord): HealthRecord["silentSince"] {
  const isBlind = observed.survey?.observation.dcs.quorum !== true;
  return Object.fromEntries(
    observed.cluster.nodes.flatMap((node) => {
      const since = before.silentSince[node.id];
      if (isSilent(node, observed)) return [[node.id, since ?? observed.now]];
      return isBlind && since !== undefined ? [[node.id, since]] : [];
    }),
  );
}

/** Whether a judgement says anything that is not on record yet. */
export function isNews(
  judgement: Judgement,
  before: {
    readonly record: HealthRecord;
    readonly status: string;
    readonly drift: readonly Drift[];
  },
): boolean {
  const { record, drift, status } = judgement;
  return status !== before.status || isOther(record, before.record) || isOther(drift, before.drift);
}

/** Maps come back from the table in another order, and lists of ours are sets. */
function isOther(left: unknown, right: unknown): boolean {
  return canonical(left) !== canonical(right);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).toSorted().join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${entries
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`)
    .toSorted()
    .join()}}`;
}
