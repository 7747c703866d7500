import { Cron, CronPattern } from "croner";
import { byInstant, secondsLater } from "./instant.ts";

/** Far longer than any schedule that somebody could still read. */
export const cronCharactersMax = 100;
/** EventBridge Scheduler's own limit for an expression. */
const expressionCharactersMax = 256;

const number = String.raw`\d{1,2}`;
const numberOrName = String.raw`(?:\d{1,2}|[A-Za-z]{3})`;
const itemOf = (value: string): string => String.raw`(?:\*|${value}-${value})(?:/\d{1,2})?|${value}`;
const fieldOf = (value: string): RegExp => new RegExp(`^(?:${itemOf(value)})(?:,(?:${itemOf(value)}))*$`);
const fields = [
  ["minute", fieldOf(number)],
  ["hour", fieldOf(number)],
  ["day of the month", fieldOf(number)],
  ["month", fieldOf(numberOrName)],
  ["day of the week", fieldOf(numberOrName)],
] as const;

/** In a leap year, so that the 29th of February comes. */
const someDay = "2000-01-01T00:00:00Z";

/** Why the text is no schedule, as it follows the field's name; null where it is one. */
export function cronObjection(text: string): string | null {
  const parts = text.split(" ");
  if (parts.length !== fields.length) {
    return 'must be five fields with a space between them (minute, hour, day of the month, month, day of the week), in UTC, such as "0 2 * * 0"';
  }
  const [odd] = fields.filter(([, pattern], index) => !pattern.test(parts[index] ?? ""));
  if (odd !== undefined) {
    const written = parts[fields.indexOf(odd)];
    return `must have numbers, "*", lists ("1,3"), ranges ("1-5") or steps ("*/2") for the ${odd[0]}, not "${written}"`;
  }
  const [, , dayOfMonth, , dayOfWeek] = parts;
  if (dayOfMonth !== "*" && dayOfWeek !== "*") {
    return 'must leave the day of the month or the day of the week "*": the scheduler knows one of them, not both';
  }
  try {
    if (nextTimes(text, someDay, 1).length === 0)
      return "must name a day that comes: no month has such a one";
  } catch (error) {
    return `must be within the limits of its fields: ${reasonOf(error)}`;
  }
  return schedulerExpression(text).length > expressionCharactersMax
    ? `must name fewer single times: the scheduler takes ${expressionCharactersMax} characters`
    : null;
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^CronPattern: /, "");

/** The next times after a moment, in UTC; fewer where there are no more. */
export function nextTimes(cron: string, after: string, count: number): string[] {
  return jobOf(cron)
    .nextRuns(count, wholeSecond(after))
    .map((time) => time.toISOString());
}

/** The last time up to a moment, which may be one itself; null: there was none. */
export function lastTime(cron: string, until: string): string | null {
  // The one before that moment may be after this one, in the same minute.
  const found = jobOf(cron).previousRuns(2, wholeSecond(secondsLater(until, minuteSeconds)));
  return found.map((time) => time.toISOString()).find((time) => byInstant(time, until) <= 0) ?? null;
}

const minuteSeconds = 60;

const wholeSecond = (time: string): string => time.replace(/\.\d+Z$/, "Z");

const jobOf = (cron: string): Cron => new Cron(cron, { timezone: "UTC", mode: "5-part" });

interface Times {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: readonly number[];
  readonly months: readonly number[];
  /** Sunday is 0. */
  readonly weekdays: readonly number[];
}

function timesOf(cron: string): Times {
  const pattern = new CronPattern(cron, undefined, { mode: "5-part" });
  const marked = (marks: readonly number[], first: number): number[] =>
    marks.flatMap((mark, index) => (mark === 0 ? [] : [index + first]));
  return {
    minutes: marked(pattern.minute, 0),
    hours: marked(pattern.hour, 0),
    days: marked(pattern.day, 1),
    months: marked(pattern.month, 1),
    weekdays: marked(pattern.dayOfWeek.slice(0, weekdayCount), 0),
  };
}

const minuteCount = 60;
const hourCount = 24;
const dayCount = 31;
const monthCount = 12;
const weekdayCount = 7;

/**
 * As EventBridge Scheduler writes it: six fields, the year last; days of the week count from 1 for Sunday; and the day
 * that is not meant is "?". Steps and names are written out: what they mean there need not be what they mean here.
 */
export function schedulerExpression(cron: string): string {
  const { minutes, hours, days, months, weekdays } = timesOf(cron);
  const isByWeekday = weekdays.length < weekdayCount;
  const written = [
    listed(minutes, minuteCount),
    listed(hours, hourCount),
    isByWeekday ? "?" : listed(days, dayCount),
    listed(months, monthCount),
    isByWeekday
      ? listed(
          weekdays.map((day) => day + 1),
          weekdayCount,
        )
      : "?",
    "*",
  ];
  return `cron(${written.join(" ")})`;
}

/** "0,15,30,45", "1-5", "*" */
function listed(values: readonly number[], all: number): string {
  if (values.length === all) return "*";
  const runs: number[][] = [];
  for (const value of values) {
    const run = runs.at(-1);
    if (run?.at(-1) === value - 1) run.push(value);
    else runs.push([value]);
  }
  return runs.map((run) => (run.length > 2 ? `${run[0]}-${run.at(-1)}` : run.join(","))).join(",");
}

const dayMinutes = hourCount * minuteCount;

/** The shortest time from one backup to the next, in minutes. */
export function smallestGapMinutes(cron: string): number {
  const times = timesOf(cron);
  const moments = times.hours.flatMap((hour) => times.minutes.map((minute) => hour * minuteCount + minute));
  const gaps = moments.slice(1).map((moment, index) => moment - (moments[index] ?? 0));
  const overnight = dayMinutes - (moments.at(-1) ?? 0) + (moments[0] ?? 0);
  return Math.min(...gaps, ...(hasNeighbours(times) ? [overnight] : [dayMinutes]));
}

/** Of the longest: the 29th of February is a day. */
const daysOfMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether two days that follow each other are both meant. */
function hasNeighbours({ days, months, weekdays }: Times): boolean {
  if (weekdays.length < weekdayCount) {
    return weekdays.some((day) => weekdays.includes((day + 1) % weekdayCount));
  }
  return months.some((month) => {
    const length = daysOfMonths[month - 1] ?? dayCount;
    // The first of March follows the 28th of February, too.
    const isOverMonths =
      days.includes(1) &&
      months.includes((month % monthCount) + 1) &&
      (days.includes(length) || (month === 2 && days.includes(length - 1)));
    return isOverMonths || days.some((day) => day < length && days.includes(day + 1));
  });
}
