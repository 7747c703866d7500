import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
  UpdateScheduleCommand,
} from "@aws-sdk/client-scheduler";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SchedulerBackupSchedules } from "../../../layers/aws/scheduler.ts";
import { noTimers, type Timers } from "../../../layers/domain/index.ts";
import { Recorder } from "../../../local/endpoints/recorder.ts";
import { parseCron } from "../../../local/endpoints/scheduler/cron.ts";
import { SchedulerService } from "../../../local/endpoints/scheduler/service.ts";
import { Documents } from "../../../local/state/documents.ts";
import { settings } from "../../api/support/world.ts";
import { account, region, startEndpoints } from "./support/endpoints.ts";

const group = "pgherd-local-clusters";
const roleArn = `arn:aws:iam::${account}:role/pgherd/local/schedules`;
const targetArn = `arn:aws:lambda:${region}:${account}:function:start-backup`;
const clusterId = "clu_01ARZ3NDEKTSV4RRFFQ69G5FAV";
const minuteMs = 60_000;

let documents: Documents;
let service: SchedulerService;
let recorder: Recorder;
let invoked: string[];
let refusal: Error | null;
let endpoints: Awaited<ReturnType<typeof startEndpoints>>;
let client: SchedulerClient;

function open(): SchedulerService {
  const opened = new SchedulerService({
    documents,
    region,
    account,
    recorder,
    invoke: async (target, payload) => {
      if (refusal !== null) throw refusal;
      invoked.push(`${target.split(":").at(-1)} ${payload}`);
    },
  });
  opened.ensureGroup(group);
  opened.letAssume(roleArn);
  return opened;
}

beforeEach(async () => {
  documents = new Documents(":memory:");
  recorder = new Recorder();
  invoked = [];
  refusal = null;
  service = open();
  endpoints = await startEndpoints([service]);
  client = new SchedulerClient({ ...endpoints.as("create-cluster"), maxAttempts: 1 });
});
afterEach(async () => {
  client.destroy();
  await endpoints.close();
  documents.close();
});

const schedule = (change: Partial<CreateScheduleCommandInput> = {}): CreateScheduleCommandInput => ({
  GroupName: group,
  Name: `${clusterId}-full`,
  ScheduleExpression: "cron(0 2 ? * 1 *)",
  FlexibleTimeWindow: { Mode: "OFF" },
  Target: { Arn: targetArn, RoleArn: roleArn, Input: '{"at":"<aws.scheduler.scheduled-time>"}' },
  ...change,
});
const create = (change?: Partial<CreateScheduleCommandInput>) =>
  client.send(new CreateScheduleCommand(schedule(change)));
const names = async () =>
  (await client.send(new ListSchedulesCommand({ GroupName: group }))).Schedules?.map(({ Name }) => Name);

describe("a schedule", () => {
  test("is kept as it was said, with AWS's defaults, and listed", async () => {
    const { ScheduleArn } = await create();
    expect(ScheduleArn).toBe(`arn:aws:scheduler:${region}:${account}:schedule/${group}/${clusterId}-full`);
    const found = await client.send(new GetScheduleCommand({ GroupName: group, Name: `${clusterId}-full` }));
    expect(found).toMatchObject({
      Arn: ScheduleArn,
      ScheduleExpression: "cron(0 2 ? * 1 *)",
      ScheduleExpressionTimezone: "UTC",
      State: "ENABLED",
      FlexibleTimeWindow: { Mode: "OFF" },
      Target: {
        Arn: targetArn,
        RoleArn: roleArn,
        RetryPolicy: { MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 },
      },
      CreationDate: expect.any(Date),
    });
    expect(await names()).toEqual([`${clusterId}-full`]);
  });

  test("is listed in pages, and by the beginning of its name", async () => {
    for (const kind of ["full", "diff", "incr"]) await create({ Name: `${clusterId}-${kind}` });
    const page = (change: object) => client.send(new ListSchedulesCommand({ GroupName: group, ...change }));
    const first = await page({ MaxResults: 2 });
    const second = await page({ MaxResults: 2, NextToken: first.NextToken });
    expect([first.Schedules?.length, second.Schedules?.length, second.NextToken]).toEqual([2, 1, undefined]);
    expect((await page({ NamePrefix: `${clusterId}-f` })).Schedules).toHaveLength(1);
  });

  test("is made once: another one of its name is refused, and a call that is repeated is not", async () => {
    await create({ ClientToken: "one" });
    await expect(create({ ClientToken: "one" })).resolves.toMatchObject({ ScheduleArn: expect.any(String) });
    await expect(create()).rejects.toMatchObject({ name: "ConflictException" });
  });

  test("is replaced whole by an update", async () => {
    await create({ State: "DISABLED" });
    await client.send(new UpdateScheduleCommand(schedule({ ScheduleExpression: "cron(0 3 * * ? *)" })));
    const found = await client.send(new GetScheduleCommand({ GroupName: group, Name: `${clusterId}-full` }));
    expect(found).toMatchObject({ ScheduleExpression: "cron(0 3 * * ? *)", State: "ENABLED" });
  });

  test("that is not there is not found, whatever is asked of it", async () => {
    const key = { GroupName: group, Name: "nothing" };
    for (const command of [
      () => client.send(new GetScheduleCommand(key)),
      () => client.send(new DeleteScheduleCommand(key)),
      () => client.send(new UpdateScheduleCommand(schedule(key))),
      () => client.send(new CreateScheduleCommand(schedule({ GroupName: "elsewhere" }))),
    ]) {
      await expect(command()).rejects.toMatchObject({ name: "ResourceNotFoundException" });
    }
  });

  test.each<[string, Partial<CreateScheduleCommandInput>, RegExp]>([
    ["a name with other characters", { Name: "a b" }, /regular expression/],
    ["five fields", { ScheduleExpression: "cron(0 2 * * 0)" }, /Invalid Schedule Expression/],
    ["a day of the month and of the week", { ScheduleExpression: "cron(0 2 1 * 1 *)" }, /has to be \?/],
    ["no day at all", { ScheduleExpression: "cron(0 2 ? * ? *)" }, /has to be \?/],
    ["a Sunday that is 0", { ScheduleExpression: "cron(0 2 ? * 0 *)" }, /day-of-week cannot be "0"/],
    ["a rate", { ScheduleExpression: "rate(1 day)" }, /Invalid Schedule Expression/],
    ["a zone of time", { ScheduleExpressionTimezone: "Europe/Berlin" }, /UTC/],
    ["a window", { FlexibleTimeWindow: { Mode: "FLEXIBLE", MaximumWindowInMinutes: 5 } }, /FLEXIBLE/],
    [
      "a role that is not the scheduler's",
      { Target: { Arn: targetArn, RoleArn: `${roleArn}-other` } },
      /must allow AWS EventBridge Scheduler to assume the role/,
    ],
    ["a target that is no function", { Target: { Arn: "arn:aws:sqs:x:1:q", RoleArn: roleArn } }, /Arn/],
    [
      "an event that may be younger than a minute",
      { Target: { Arn: targetArn, RoleArn: roleArn, RetryPolicy: { MaximumEventAgeInSeconds: 1 } } },
      /between 60 and 86400/,
    ],
  ])("with %s is refused, and not made", async (_what, change, said) => {
    const refused = create(change);
    await expect(refused).rejects.toMatchObject({ name: "ValidationException" });
    await expect(refused).rejects.toThrow(said);
    expect(await names()).toEqual([]);
  });

  test("goes with its group", async () => {
    await create();
    service.deleteGroup(group);
    service.ensureGroup(group);
    expect(await names()).toEqual([]);
  });
});

describe("firing", () => {
  /** A Sunday; the schedules of these tests are made before any moment that they speak of. */
  const sunday = Date.parse("2100-01-03T02:00:00Z");
  const told = (time: string) => `start-backup {"at":"${time}"}`;

  test("comes at the minute, once, with the time that it was scheduled for", async () => {
    await create();
    await service.look(sunday - 1);
    expect(invoked).toEqual([]);
    for (const later of [0, 900, minuteMs - 1, minuteMs, 5 * minuteMs]) await service.look(sunday + later);
    expect(invoked).toEqual([told("2100-01-03T02:00:00Z")]);
    await service.look(sunday + 7 * 24 * 60 * minuteMs);
    expect(invoked).toHaveLength(2);
  });

  test("is on record with the role of the schedule", async () => {
    await create();
    await service.look(sunday - 1);
    await service.look(sunday);
    expect(recorder.list({ service: "lambda" })).toMatchObject([
      { action: "Invoke", roleName: "schedules", input: { FunctionName: targetArn }, errorCode: null },
    ]);
  });

  test("that was missed is made up for once, by whoever looks next, and only the last one", async () => {
    await create({ ScheduleExpression: "cron(0,30 * * * ? *)" });
    await service.look(sunday - 1);
    const again = open();
    await again.look(sunday + 59 * minuteMs);
    await open().look(sunday + 59 * minuteMs);
    await open().look(sunday + 59 * minuteMs + 1);
    expect(invoked).toEqual([told("2100-01-03T02:30:00Z")]);
  });

  test("that is older than its events may be is not made up for", async () => {
    const RetryPolicy = { MaximumEventAgeInSeconds: 3600 };
    await create({ Target: { Arn: targetArn, RoleArn: roleArn, RetryPolicy } });
    await service.look(sunday - 1);
    await open().look(sunday + 61 * minuteMs);
    expect(invoked).toEqual([]);
  });

  test("does not come of what is disabled or deleted", async () => {
    await create({ Name: "off", State: "DISABLED" });
    await create({ Name: "gone" });
    await service.look(sunday - 1);
    await client.send(new DeleteScheduleCommand({ GroupName: group, Name: "gone" }));
    await service.look(sunday);
    expect(invoked).toEqual([]);
  });

  test("waits for the next time where a schedule is made in the minute in which it would come", async () => {
    const now = new Date();
    const at = `cron(${now.getUTCMinutes()} ${now.getUTCHours()} * * ? *)`;
    await service.look(now.getTime() - 10 * minuteMs);
    await create({ Name: "new", ScheduleExpression: at });
    await service.look(now.getTime());
    expect(invoked).toEqual([]);
  });

  test("of one that cannot be delivered does not keep the others waiting", async () => {
    await create({ Name: "first" });
    await create({ Name: "second" });
    await service.look(sunday - 1);
    refusal = new Error("there is no such function");
    await service.look(sunday);
    expect(recorder.list({ service: "lambda" }).map(({ errorCode }) => errorCode)).toEqual([
      "InternalError",
      "InternalError",
    ]);
  });
});

describe("an expression", () => {
  test.each([
    ["cron(*/20 8-10/2 ? JAN-MAR MON-FRI 2026)", "2026-01-05T10:40:00Z", true],
    ["cron(5/20 * * * ? *)", "2026-01-05T10:45:00Z", true],
    ["cron(5/20 * * * ? *)", "2026-01-05T10:00:00Z", false],
    ["cron(0 2 ? * 1 *)", "2026-01-04T02:00:00Z", true],
    ["cron(0 2 ? * 7 *)", "2026-01-04T02:00:00Z", false],
    ["cron(0 2 15,31 * ? *)", "2026-01-31T02:00:00Z", true],
    ["cron(0 2 * * ? 2027)", "2026-01-31T02:00:00Z", false],
  ])("%s at %s: %s", (expression, time, isDue) => {
    expect(parseCron(expression).matches(new Date(time))).toBe(isDue);
  });

  test.each([
    "cron(0 2 L * ? *)",
    "cron(0 2 ? * 2#1 *)",
    "cron(60 2 * * ? *)",
    "cron(0 2 * * ? 1969)",
    "cron(5-1 2 * * ? *)",
    "cron()",
    "0 2 * * ? *",
  ])("%s is none", (expression) => {
    expect(() => parseCron(expression)).toThrow(/./);
  });
});

describe("the schedules of a cluster", () => {
  const wanted: Timers = { ...noTimers, full: "0 2 * * 0", incr: "*/30 * * * *" };
  let schedules: SchedulerBackupSchedules;
  beforeEach(() => {
    const schedulesOf = { group, roleArn, targetArn };
    schedules = new SchedulerBackupSchedules(
      { ...settings, schedules: schedulesOf },
      endpoints.as("create-cluster"),
    );
  });

  const kept = async (kind: string) =>
    client.send(new GetScheduleCommand({ GroupName: group, Name: `${clusterId}-${kind}` }));

  test("become what is wanted, whatever was there, and twice is once", async () => {
    await schedules.apply(clusterId, { ...noTimers, full: "0 5 * * *", diff: "0 6 * * *" });
    for (let count = 0; count < 2; count += 1) {
      await schedules.apply(clusterId, wanted);
      expect(await names()).toEqual([`${clusterId}-full`, `${clusterId}-incr`]);
      expect(await schedules.isCurrent(clusterId, wanted)).toBe(true);
    }
    expect(await kept("full")).toMatchObject({
      ScheduleExpression: "cron(0 2 ? * 1 *)",
      Target: {
        Arn: targetArn,
        RoleArn: roleArn,
        Input: JSON.stringify({ clusterId, kind: "full", scheduledAt: "<aws.scheduler.scheduled-time>" }),
      },
    });
  });

  test("are not what is wanted where one is missing, too much, another one or off", async () => {
    expect(await schedules.isCurrent(clusterId, wanted)).toBe(false);
    await schedules.apply(clusterId, wanted);
    expect(await schedules.isCurrent(clusterId, { ...wanted, diff: "0 1 * * *" })).toBe(false);
    expect(await schedules.isCurrent(clusterId, { ...wanted, incr: null })).toBe(false);
    expect(await schedules.isCurrent(clusterId, { ...wanted, full: "0 2 * * 1" })).toBe(false);
    const { FlexibleTimeWindow, ScheduleExpression, Target } = await kept("full");
    const off = { FlexibleTimeWindow, ScheduleExpression, Target, State: "DISABLED" } as const;
    await client.send(new UpdateScheduleCommand({ GroupName: group, Name: `${clusterId}-full`, ...off }));
    expect(await schedules.isCurrent(clusterId, wanted)).toBe(false);
  });

  test("go without a trace, and twice is once", async () => {
    await schedules.apply(clusterId, wanted);
    await schedules.remove(clusterId);
    await schedules.remove(clusterId);
    expect(await names()).toEqual([]);
  });

  test("are made where an answer was lost on the way", async () => {
    endpoints.faults.add({ service: "scheduler", action: "CreateSchedule", effect: { kind: "drop-answer" } });
    await schedules.apply(clusterId, wanted);
    expect(await schedules.isCurrent(clusterId, wanted)).toBe(true);
  });

  test("fire what starts a backup", async () => {
    await schedules.apply(clusterId, { ...wanted, incr: null });
    const sunday = Date.parse("2100-01-03T02:00:00Z");
    await service.look(sunday - 1);
    await service.look(sunday);
    expect(invoked).toEqual([
      `start-backup ${JSON.stringify({ clusterId, kind: "full", scheduledAt: "2100-01-03T02:00:00Z" })}`,
    ]);
  });
});
