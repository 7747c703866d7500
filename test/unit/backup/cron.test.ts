import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  cronObjection,
  lastTime,
  nextTimes,
  schedulerExpression,
  smallestGapMinutes,
} from "../../../layers/domain/index.ts";
import { parseCron } from "../../../local/endpoints/scheduler/cron.ts";

const minuteMs = 60_000;
const dayMinutes = 24 * 60;

/** Every field as somebody writes it; the day is one of the month or of the week. */
const step = fc.integer({ min: 1, max: 20 });
function fieldOf(min: number, max: number): fc.Arbitrary<string> {
  const value = fc.integer({ min, max });
  const range = fc.tuple(value, value).map(([one, other]) => [Math.min(one, other), Math.max(one, other)]);
  const item = fc.oneof(
    value.map(String),
    range.map(([from, to]) => `${from}-${to}`),
    fc.tuple(range, step).map(([[from, to], by]) => `${from}-${to}/${Math.min(by, max - min)}`),
    step.map((by) => `*/${Math.min(by, max - min)}`),
  );
  return fc.oneof(
    fc.constant("*"),
    fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(",")),
  );
}
const anyDay = fc.tuple(fieldOf(1, 28), fieldOf(0, 7), fc.boolean());
const crons = fc
  .tuple(fieldOf(0, 59), fieldOf(0, 23), anyDay, fieldOf(1, 12))
  .map(([minute, hour, [day, weekday, isByWeekday], month]) =>
    [minute, hour, isByWeekday ? "*" : day, month, isByWeekday ? weekday : "*"].join(" "),
  );
const moments = fc.date({
  min: new Date("2024-01-01T00:00:00Z"),
  max: new Date("2032-01-01T00:00:00Z"),
  noInvalidDate: true,
});

describe("a schedule", () => {
  test.each([
    "0 2 * * 0",
    "0 2 * * 7",
    "*/15 * * * *",
    "5,35 0-6/2 1,15 * *",
    "0 2 * JAN-MAR mon,wed",
    "0 0 29 2 *",
    "0 0 * * 0-6",
  ])("%s is one", (cron) => {
    expect(cronObjection(cron)).toBeNull();
  });

  test.each([
    ["", "five fields"],
    ["0 2 * *", "five fields"],
    ["0 0 2 * * 0", "five fields"],
    ["0  2 * * 0", "five fields"],
    ["0 2 * * 0\n", 'not "0\n"'],
    ["@daily", "five fields"],
    ["0 2 ? * 0", 'day of the month, not "?"'],
    ["0 2 L * *", 'day of the month, not "L"'],
    ["0 2 15W * *", 'not "15W"'],
    ["0 2 * * 1#2", 'day of the week, not "1#2"'],
    ["5* 2 * * *", 'minute, not "5*"'],
    ["0 2/3 * * *", 'hour, not "2/3"'],
    ["0 -1 * * *", 'hour, not "-1"'],
    ["1,,2 2 * * *", "minute"],
    ["60 2 * * *", "limits of its fields"],
    ["0 24 * * *", "limits of its fields"],
    ["0 2 0 * *", "limits of its fields"],
    ["0 2 32 * *", "limits of its fields"],
    ["0 2 * 13 *", "limits of its fields"],
    ["0 2 * * 8", "limits of its fields"],
    ["0 5-3 * * *", "limits of its fields"],
    ["*/0 2 * * *", "limits of its fields"],
    ["0 2 * FOO *", "limits of its fields"],
    ["0 2 1 * 1", "one of them, not both"],
    ["0 2 31 2 *", "a day that comes"],
    ["0 2 31 4,6 *", "a day that comes"],
  ])("%j is none, and is told what would be right", (cron, said) => {
    expect(cronObjection(cron)).toContain(said);
  });

  test("of which every one can be written for the scheduler", () => {
    fc.assert(
      fc.property(crons, (cron) => {
        expect(cronObjection(cron)).toBeNull();
      }),
    );
  });
});

describe("the scheduler's expression", () => {
  test.each([
    ["0 2 * * 0", "cron(0 2 ? * 1 *)"],
    ["0 2 * * 7", "cron(0 2 ? * 1 *)"],
    ["0 2 * * 3,6", "cron(0 2 ? * 4,7 *)"],
    ["0 2 * * 1,2,4,5", "cron(0 2 ? * 2,3,5,6 *)"],
    ["0 2 * * SAT-SUN", "cron(0 2 ? * 1,7 *)"],
    ["0 2 * * 1-5", "cron(0 2 ? * 2-6 *)"],
    ["30 1 1 * *", "cron(30 1 1 * ? *)"],
    ["*/15 * * * *", "cron(0,15,30,45 * * * ? *)"],
    ["0 9-17/4 * 1-6 *", "cron(0 9,13,17 * 1-6 ? *)"],
    ["0 0 * JAN,FEB *", "cron(0 0 * 1,2 ? *)"],
    ["* * * * 0-6", "cron(* * * * ? *)"],
  ])("of %s is %s", (cron, expression) => {
    expect(schedulerExpression(cron)).toBe(expression);
  });

  test("means what the schedule means, minute for minute", () => {
    fc.assert(
      fc.property(crons, moments, (cron, from) => {
        const theirs = parseCron(schedulerExpression(cron));
        const [next = ""] = nextTimes(cron, from.toISOString(), 1);
        expect(theirs.matches(new Date(next))).toBe(true);
        // Nothing in between, as far as two days go.
        const end = Math.min(Date.parse(next), from.getTime() + 2 * dayMinutes * minuteMs);
        const first = Math.floor(from.getTime() / minuteMs) * minuteMs + minuteMs;
        for (let at = first; at < end; at += minuteMs) expect(theirs.matches(new Date(at))).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the times of a schedule", () => {
  test("come after the moment, in order, and in UTC", () => {
    expect(nextTimes("0 2 * * 0", "2026-01-04T02:00:00.000Z", 3)).toEqual([
      "2026-01-11T02:00:00.000Z",
      "2026-01-18T02:00:00.000Z",
      "2026-01-25T02:00:00.000Z",
    ]);
  });

  test.each([
    ["2026-01-04T02:00:00.000Z", "2026-01-04T02:00:00.000Z"],
    ["2026-01-04T02:00:59.999Z", "2026-01-04T02:00:00.000Z"],
    ["2026-01-04T01:59:59.999Z", "2025-12-28T02:00:00.000Z"],
  ])("have a last one up to %s: %s", (until, last) => {
    expect(lastTime("0 2 * * 0", until)).toBe(last);
  });

  test("have none in between the last one and the next", () => {
    fc.assert(
      fc.property(crons, moments, (cron, moment) => {
        const now = moment.toISOString();
        const last = lastTime(cron, now) ?? "";
        const [next] = nextTimes(cron, now, 1);
        expect(Date.parse(last)).toBeLessThanOrEqual(moment.getTime());
        expect(nextTimes(cron, last, 1)).toEqual([next]);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the shortest time between two", () => {
  test.each([
    ["* * * * *", 1],
    ["*/14 * * * *", 4],
    ["*/15 * * * *", 15],
    ["0 * * * *", 60],
    ["0 2 * * 0", dayMinutes],
    ["50 23 * * *", dayMinutes],
    ["0,50 0,23 * * *", 10],
    ["0,50 0,23 1 * *", 50],
    ["55 23 31 12 *", dayMinutes],
    ["0,55 0,23 1,31 1,12 *", 5],
    ["0,55 0,23 * * 6,0", 5],
    ["0,55 0,23 * * 1,3", 55],
    ["0,55 0,23 28 2 *", 55],
    ["0,55 0,23 1,28 2,3 *", 5],
  ])("of %s is %i minutes", (cron, minutes) => {
    expect(smallestGapMinutes(cron)).toBe(minutes);
  });

  test("is never more than what two times that follow each other have", () => {
    fc.assert(
      fc.property(crons, moments, (cron, from) => {
        const times = nextTimes(cron, from.toISOString(), 40).map((time) => Date.parse(time));
        const gaps = times.slice(1).map((time, index) => (time - (times[index] ?? 0)) / minuteMs);
        const least = Math.min(dayMinutes, ...gaps);
        expect(smallestGapMinutes(cron)).toBeLessThanOrEqual(least);
      }),
      { numRuns: 60 },
    );
  });
});
