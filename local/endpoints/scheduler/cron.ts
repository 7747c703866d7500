/** A schedule in UTC, to the minute. */
export interface CronExpression {
  matches(time: Date): boolean;
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const fields: readonly Field[] = [
  { name: "minutes", min: 0, max: 59 },
  { name: "hours", min: 0, max: 23 },
  { name: "day-of-month", min: 1, max: 31 },
  {
    name: "month",
    min: 1,
    max: 12,
    names: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
  },
  {
    name: "day-of-week",
    min: 1,
    max: 7,
    names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
  },
  { name: "year", min: 1970, max: 2199 },
];

/**
 * `cron(minutes hours day-of-month month day-of-week year)`, as EventBridge Scheduler reads it. L, W and # nobody writes
 * here. @throws {Error} for everything else that is none
 */
export function parseCron(expression: string): CronExpression {
  const texts = /^cron\((.+)\)$/.exec(expression)?.[1]?.split(" ") ?? [];
  if (texts.length !== fields.length) throw new Error("it has not six fields within cron(…)");
  const [minutes, hours, days, months, weekdays, years] = fields.map((field, index) =>
    valuesOf(field, texts[index] ?? ""),
  );
  if ((days === null) === (weekdays === null)) {
    throw new Error("one of day-of-month and day-of-week has to be ?, and only one");
  }
  const has = (values: ReadonlySet<number> | null | undefined, value: number): boolean =>
    values === null || values?.has(value) === true;
  return {
    matches: (time) =>
      has(minutes, time.getUTCMinutes()) &&
      has(hours, time.getUTCHours()) &&
      has(days, time.getUTCDate()) &&
      has(months, time.getUTCMonth() + 1) &&
      has(weekdays, time.getUTCDay() + 1) &&
      has(years, time.getUTCFullYear()),
  };
}

/** Null: whatever day it is. */
function valuesOf(field: Field, text: string): ReadonlySet<number> | null {
  if (text === "?" && field.name.startsWith("day-of-")) return null;
  return new Set(text.split(",").flatMap((item) => itemValues(field, item)));
}

function itemValues(field: Field, item: string): number[] {
  const match = /^(?:(\*)|([^-/]+)(?:-([^-/]+))?)(?:\/(\d+))?$/.exec(item);
  if (match === null) throw new Error(`${field.name} cannot be "${item}"`);
  const [, all, first, last, step] = match;
  const from = all === undefined ? numberOf(field, first ?? "") : field.min;
  const open = all !== undefined || (step !== undefined && last === undefined);
  const to = open ? field.max : last === undefined ? from : numberOf(field, last);
  const by = step === undefined ? 1 : Number(step);
  if (from > to || by < 1) throw new Error(`${field.name} cannot be "${item}"`);
  return Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, index) => from + index * by);
}

function numberOf({ max, min, name, names = [] }: Field, text: string): number {
  const index = names.indexOf(text.toUpperCase());
  const value = index >= 0 ? index + 1 : /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new Error(`${name} cannot be "${text}"`);
  return value;
}
