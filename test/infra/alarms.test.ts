import { readdir } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { stageNames } from "../../infra/config/index.ts";
import { controlPlaneRunbooks } from "../../infra/constructs/alarm-list.ts";
import { findingKinds } from "../../layers/domain/index.ts";
import { allResources, findStack, resourcesOf, type Stack, synthesizeAll } from "./support/synthesized.ts";

const runbooks = new URL("../../docs/runbooks/", import.meta.url);
const onAws = stageNames.filter((stage) => stage !== "local");

const alarmSchema = z.object({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  AlarmActions: z.array(z.object({ Ref: z.string() })).length(1),
  OKActions: z.array(z.object({ Ref: z.string() })).length(1),
  ComparisonOperator: z.string(),
  TreatMissingData: z.string(),
  Threshold: z.number(),
});
type AlarmOf = z.infer<typeof alarmSchema>;

/** What every function of ours knows, and no other does. */
const ownVariables = z.object({ Variables: z.object({ PGHERD_ENVIRONMENT: z.string() }) });

let stacks: readonly Stack[];
beforeAll(async () => {
  stacks = await synthesizeAll();
});

const alarmsOf = (stage: (typeof stageNames)[number]): AlarmOf[] =>
  resourcesOf(findStack(stacks, stage, "ControlPlane"), "AWS::CloudWatch::Alarm").map(({ Properties }) =>
    alarmSchema.parse(Properties),
  );

const runbookOf = ({ AlarmDescription }: AlarmOf): string =>
  /Runbook: docs\/runbooks\/([\w-]+)\.md$/.exec(AlarmDescription)?.[1] ?? "";

describe.each(onAws)("the alarms of %s", (stage) => {
  test("are on by default: one for each finding, and for each way in which the control plane fails", () => {
    const led = new Set(alarmsOf(stage).map(runbookOf));
    expect([...led].toSorted()).toEqual([...findingKinds, ...controlPlaneRunbooks].toSorted());
  });

  test("name a runbook that is there", async () => {
    const there = await readdir(runbooks);
    for (const alarm of alarmsOf(stage)) expect(there, alarm.AlarmName).toContain(`${runbookOf(alarm)}.md`);
  });

  test("have the environment's name, which is what CloudWatch may publish by", () => {
    const prefix = `pgherd-${stage}-`;
    const names = alarmsOf(stage).map(({ AlarmName }) => AlarmName);
    expect(names.filter((name) => !name.startsWith(prefix))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  test("go to one topic, of their end, too", () => {
    const topics = resourcesOf(findStack(stacks, stage, "ControlPlane"), "AWS::SNS::Topic").map(
      ({ id }) => id,
    );
    expect(topics).toHaveLength(1);
    const told = alarmsOf(stage).flatMap(({ AlarmActions, OKActions }) => [...AlarmActions, ...OKActions]);
    expect(new Set(told.map(({ Ref }) => Ref))).toEqual(new Set(topics));
  });

  test("take silence for peace, except for the sign that somebody looks", () => {
    const breaching = alarmsOf(stage).filter(({ TreatMissingData }) => TreatMissingData === "breaching");
    expect(breaching.map(({ AlarmName }) => AlarmName)).toEqual([`pgherd-${stage}-watch-silent`]);
  });

  test("tell of a volume that is 80 and 90 % full", () => {
    const disks = alarmsOf(stage).filter((alarm) => runbookOf(alarm) === "disk-full");
    expect(disks.map(({ Threshold }) => Threshold)).toEqual([0.8, 0.9]);
  });
});

test("every function that runs by itself or for callers has its alarm", () => {
  for (const stage of onAws) {
    const stack = findStack(stacks, stage, "ControlPlane");
    // A failure of CDK's provider of custom resources is told to whoever deploys.
    const functions = resourcesOf(stack, "AWS::Lambda::Function").filter(
      ({ Properties }) =>
        Properties["DurableConfig"] === undefined &&
        ownVariables.safeParse(Properties["Environment"]).success,
    );
    const alarmed = alarmsOf(stage).filter((alarm) => runbookOf(alarm) === "function-errors");
    expect(functions.length).toBeGreaterThan(5);
    expect(alarmed).toHaveLength(functions.length);
  }
});

test("the topic is encrypted by the environment's key, which CloudWatch may use for the environment's alarms alone", () => {
  for (const { Properties } of allResources(stacks, "AWS::SNS::Topic")) {
    expect(JSON.stringify(Properties["KmsMasterKeyId"])).toContain("Key9BCD29C7");
  }
  for (const { Properties, stage } of allResources(stacks, "AWS::KMS::Key")) {
    const policy = z
      .object({
        Statement: z.array(z.looseObject({ Principal: z.unknown(), Condition: z.unknown().optional() })),
      })
      .parse(Properties["KeyPolicy"]);
    const given = policy.Statement.filter(({ Principal }) =>
      JSON.stringify(Principal).includes("cloudwatch"),
    );
    expect(given).toHaveLength(stage === "local" ? 0 : 1);
    for (const { Condition } of given)
      expect(JSON.stringify(Condition)).toContain(`:alarm:pgherd-${stage}-*`);
  }
});

test("there are two dashboards, however many clusters there are", () => {
  for (const stage of onAws) {
    const dashboards = resourcesOf(findStack(stacks, stage, "ControlPlane"), "AWS::CloudWatch::Dashboard");
    expect(dashboards.map(({ Properties }) => Properties["DashboardName"])).toEqual([
      `pgherd-${stage}-environment`,
      `pgherd-${stage}-cluster`,
    ]);
  }
});
