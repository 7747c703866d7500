import { z } from "zod";
import { clusterIdSchema } from "../ids.ts";
import type { FieldError } from "../problems.ts";
import type { BackupType } from "./backup.ts";
import { cronCharactersMax, cronObjection, nextTimes, smallestGapMinutes } from "./cron.ts";
import { drillTablesSchema } from "./tables.ts";

/** What can be scheduled, and when it is where the spec does not say; null: never. */
export const scheduleDefaults = {
  full: "0 2 * * 0",
  diff: "0 2 * * 3,6",
  incr: "0 2 * * 1,2,4,5",
  logical: null,
} as const satisfies Readonly<Record<string, string | null>>;
export type ScheduleKind = keyof typeof scheduleDefaults;
export const scheduleKinds = Object.keys(scheduleDefaults) as readonly ScheduleKind[];

export const scheduleKindSchema = z.enum(scheduleKinds);

/** What happens by itself beside backups: one is restored to prove it, and all that is stored is read again. */
const proofKinds = ["drill", "verify"] as const;
export type ProofKind = (typeof proofKinds)[number];

export type TimerKind = ScheduleKind | ProofKind;
/** Everything that a cluster has a schedule for. */
export const timerKinds: readonly TimerKind[] = [...scheduleKinds, ...proofKinds];

/** What a schedule says when it fires. */
export const firedScheduleSchema = z.strictObject({
  clusterId: clusterIdSchema,
  kind: z.enum(timerKinds),
  scheduledAt: z.iso.datetime(),
});

/** Whose type counts as a backup that was scheduled: everything that restores at least as much by itself. */
export const servedBy: Readonly<Record<ScheduleKind, readonly BackupType[]>> = {
  full: ["full"],
  diff: ["full", "diff"],
  incr: ["full", "diff", "incr"],
  logical: ["logical"],
};

export function eachKind<T>(make: (kind: ScheduleKind) => T): Record<ScheduleKind, T> {
  return Object.fromEntries(scheduleKinds.map((kind) => [kind, make(kind)])) as Record<ScheduleKind, T>;
}

export function eachTimer<T>(make: (kind: TimerKind) => T): Record<TimerKind, T> {
  return Object.fromEntries(timerKinds.map((kind) => [kind, make(kind)])) as Record<TimerKind, T>;
}

/** As it is kept: a text that was checked when it came. */
const keptCronSchema = z.string().max(cronCharactersMax);
export const schedulesSchema = z.strictObject(eachKind(() => keptCronSchema.nullable()));
export type Schedules = z.infer<typeof schedulesSchema>;

/** As it comes. */
export const cronSchema = z
  .string()
  .max(cronCharactersMax)
  .superRefine((text, context) => {
    const message = cronObjection(text);
    if (message !== null) context.addIssue({ code: "custom", message });
  });

/** A full backup reads everything there is, and its WAL has to get into the archive beside it. */
const fullMinutesMin = 15;

/** What no expression by itself is wrong about. Paths are JSON pointers into the spec. */
export function checkSchedules({ full }: Schedules): FieldError[] {
  if (full === null) return [];
  const minutes = smallestGapMinutes(full);
  if (minutes >= fullMinutesMin) return [];
  return [
    {
      path: "/backup/schedules/full",
      message: `must leave at least ${fullMinutesMin} minutes between two full backups, not ${minutes}; what changes in between is for diff and incr`,
    },
  ];
}

/** When a backup is proven by restoring it; null: only when somebody asks for it. */
export const drillSpecSchema = z.strictObject({ cron: keptCronSchema, tables: drillTablesSchema }).nullable();
/** When the whole repository is read again; null: never. */
export const verifySpecSchema = z.strictObject({ cron: keptCronSchema }).nullable();

interface TimedSpec {
  readonly schedules: Schedules;
  readonly drill: z.infer<typeof drillSpecSchema>;
  readonly verify: z.infer<typeof verifySpecSchema>;
}

/** When everything happens by itself that does; null: never. */
export type Timers = Readonly<Record<TimerKind, string | null>>;

/** Nothing happens by itself. */
export const noTimers = eachTimer(() => null);

export const timersOf = ({ drill, schedules, verify }: TimedSpec): Timers => ({
  ...schedules,
  drill: drill?.cron ?? null,
  verify: verify?.cron ?? null,
});

/** A schedule in force, and since when: nothing that was due before is anybody's omission. */
const appliedScheduleSchema = z.object({ cron: z.string(), since: z.iso.datetime() });
export const appliedSchedulesSchema = z.object(
  eachTimer(() => appliedScheduleSchema.nullable().default(null)),
);
export type AppliedSchedules = z.infer<typeof appliedSchedulesSchema>;

/** What is in force once the wanted schedules are: one that is as it was goes on since when it did. */
export function schedulesInForce(
  wanted: Timers,
  before: AppliedSchedules | null,
  now: string,
): AppliedSchedules {
  return eachTimer((kind) => {
    const cron = wanted[kind];
    if (cron === null) return null;
    const known = before?.[kind] ?? null;
    return known?.cron === cron ? known : { cron, since: now };
  });
}

/** Whether the cluster is on record with exactly these. */
export function isInForce(wanted: Timers, applied: AppliedSchedules | null): boolean {
  return applied !== null && timerKinds.every((kind) => (applied[kind]?.cron ?? null) === wanted[kind]);
}

/** As if they were in force from now on: while a cluster stands still there is nothing to back up. */
export function schedulesAnew(applied: AppliedSchedules, now: string): AppliedSchedules {
  return eachTimer((kind) => {
    const one = applied[kind];
    return one === null ? null : { ...one, since: now };
  });
}

const upcomingCount = 3;

/** With the times that come next. */
export function withUpcoming(applied: AppliedSchedules, now: string) {
  return eachTimer((kind) => {
    const one = applied[kind];
    return one === null ? null : { ...one, next: nextTimes(one.cron, now, upcomingCount) };
  });
}

/** How many of a type are kept where the spec does not say. */
export const retentionDefaults = { full: 4, diff: 2, logical: 7 } as const satisfies Partial<
  Record<ScheduleKind, number>
>;
export type RetentionKind = keyof typeof retentionDefaults;
/** A full one a day, for a year. */
const keptMax = 366;

export const keptCountSchema = z.int().min(1).max(keptMax);
export const retentionSchema = z.strictObject({
  full: keptCountSchema,
  diff: keptCountSchema,
  logical: keptCountSchema,
} satisfies Record<RetentionKind, z.ZodType>);
export type Retention = z.infer<typeof retentionSchema>;

/** On a day without another backup that is large. */
export const verifyCronDefault = "0 5 * * 6";

export const backupSpecDefault: TimedSpec & { readonly retention: Retention } = {
  schedules: scheduleDefaults,
  retention: retentionDefaults,
  drill: null,
  verify: { cron: verifyCronDefault },
};
