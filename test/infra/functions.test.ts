import { beforeAll, describe, expect, test } from "vitest";
import { stageNames } from "../../infra/config/index.ts";
import {
  allResources,
  findStack,
  type Resource,
  resourcesOf,
  type Stack,
  synthesizeAll,
} from "./support/synthesized.ts";

/** CDK's provider framework has functions of its own, which ask ours. */
const isFramework = ({ Properties }: Resource): boolean =>
  String(Properties["Handler"]).startsWith("framework.");

let stacks: readonly Stack[];
beforeAll(async () => {
  stacks = await synthesizeAll();
});

/** Functions of the product. */
const ourFunctions = () => allResources(stacks, "AWS::Lambda::Function").filter((one) => !isFramework(one));

describe("functions", () => {
  test("have a role each", () => {
    const roles = ourFunctions().map(
      ({ Properties, stage }) => `${stage} ${JSON.stringify(Properties["Role"])}`,
    );
    expect(roles.length).toBeGreaterThanOrEqual(4 * stageNames.length);
    expect(new Set(roles).size).toBe(roles.length);
  });

  test("run on the newest runtime with the layer, arm64 on AWS", () => {
    for (const { Properties } of ourFunctions()) expect(Properties["Layers"]).toHaveLength(1);
    for (const { Properties, stage } of allResources(stacks, "AWS::Lambda::Function")) {
      expect(Properties["Runtime"]).toBe("nodejs24.x");
      expect(Properties["Architectures"]).toEqual([stage === "local" ? "x86_64" : "arm64"]);
    }
  });

  test("are traced", () => {
    for (const { Properties } of ourFunctions())
      expect(Properties["TracingConfig"]).toEqual({ Mode: "Active" });
  });

  test("leave what they could not take in one queue, on AWS", () => {
    for (const stage of stageNames.filter((name) => name !== "local")) {
      const stack = findStack(stacks, stage, "ControlPlane");
      const [queue, ...more] = resourcesOf(stack, "AWS::SQS::Queue");
      expect(more).toEqual([]);
      expect(queue?.Properties).toMatchObject({
        QueueName: `pgherd-${stage}-failed-events`,
        SqsManagedSseEnabled: true,
        MessageRetentionPeriod: 14 * 24 * 3600,
      });
      const configured = resourcesOf(stack, "AWS::Lambda::EventInvokeConfig");
      for (const { Properties } of configured) {
        const destination = { "Fn::GetAtt": [queue?.id, "Arn"] };
        expect(Properties["DestinationConfig"]).toEqual({ OnFailure: { Destination: destination } });
      }
      const asynchronous = resourcesOf(stack, "AWS::Lambda::Function").filter(
        (one) =>
          !isFramework(one) && !/-(api|(begin|await)-cluster)$/.test(String(one.Properties["FunctionName"])),
      );
      expect(configured.length).toBe(asynchronous.length);
      expect(configured.length).toBeGreaterThan(30);
    }
  });

  test("of the API are capped where an account's quota lets them be, so that healing goes on under a flood of calls", () => {
    const capped = ourFunctions().filter(({ Properties }) => Properties["ReservedConcurrentExecutions"]);
    expect(capped.map(({ Properties: p }) => [p["FunctionName"], p["ReservedConcurrentExecutions"]])).toEqual(
      [
        ["pgherd-staging-api", 100],
        ["pgherd-prod-api", 100],
      ],
    );
  });

  test("that are durable keep every version and are reached through the alias live", () => {
    for (const stage of stageNames) {
      const stack = findStack(stacks, stage, "ControlPlane");
      const durable = resourcesOf(stack, "AWS::Lambda::Function").filter(
        (found) => found.Properties["DurableConfig"],
      );
      const versions = resourcesOf(stack, "AWS::Lambda::Version");
      const aliases = resourcesOf(stack, "AWS::Lambda::Alias");
      expect(durable.length).toBeGreaterThanOrEqual(2);
      for (const { id } of durable) {
        const version = versions.find((found) => refersTo(found.Properties["FunctionName"], id));
        expect(version).toMatchObject({ DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" });
        const alias = aliases.find((found) => refersTo(found.Properties["FunctionName"], id));
        expect(alias?.Properties).toMatchObject({ Name: "live" });
      }
    }
  });

  test("learn of workflows as aliases, and only those that start operations or look after their code learn of any", () => {
    const knowing = ourFunctions().filter(({ Properties }) => {
      const settings = /\\"workflows\\":\{(.*?)\},\\"principals/s.exec(
        JSON.stringify(Properties["Environment"]),
      )?.[1];
      expect(settings).toBeDefined();
      const references = [...(settings ?? "").matchAll(/"Ref":"([^"]+)"/g)].map((match) => match[1]);
      expect(references.filter((reference) => !reference?.includes("Aliaslive"))).toEqual([]);
      return references.length > 0;
    });
    const names = knowing.map(
      ({ Properties, stage }) => String(Properties["FunctionName"]).split(`${stage}-`)[1],
    );
    expect([...new Set(names)].sort()).toEqual([
      "api",
      "await-cluster",
      "begin-cluster",
      "certificates",
      "delete-cluster",
      "expirations",
      "retired-versions",
      "scheduled-backups",
      "self-healing",
      "start-backup",
      "stuck-operations",
    ]);
  });
});

function refersTo(value: unknown, id: string): boolean {
  return JSON.stringify(value) === JSON.stringify({ Ref: id });
}
