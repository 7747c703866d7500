import { readFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { stageNames } from "../../infra/config/index.ts";
import { policyStatements } from "./support/policies.ts";
import { findStack, resourcesOf, type Stack, synthesizeAll } from "./support/synthesized.ts";

const awsStages = stageNames.filter((stage) => stage !== "local");
const parts = path.join(import.meta.dirname, "../../infra/node-image-aws");

const documentSchema = z.object({
  phases: z.array(
    z.object({
      name: z.string(),
      steps: z.array(z.object({ name: z.string(), action: z.string(), inputs: z.unknown() })),
    }),
  ),
});

let stacks: readonly Stack[];
beforeAll(async () => {
  stacks = await synthesizeAll();
});

const only = (stage: string, type: string) => {
  const [found, ...more] = resourcesOf(findStack(stacks, stage, "NodeImage"), `AWS::ImageBuilder::${type}`);
  expect(more, type).toEqual([]);
  return found?.Properties ?? {};
};

/** The component's document, with what CloudFormation fills in left out. */
function document(stage: string): z.infer<typeof documentSchema> {
  const data = only(stage, "Component")["Data"];
  const join = z.object({ "Fn::Join": z.tuple([z.literal(""), z.array(z.unknown())]) }).safeParse(data);
  const text = join.success
    ? join.data["Fn::Join"][1].map((part) => (typeof part === "string" ? part : "…")).join("")
    : String(data);
  return documentSchema.parse(JSON.parse(text));
}

describe("the image of nodes", () => {
  test("is made by the recipe of all nodes, and booted once before it is given out", () => {
    for (const stage of awsStages) {
      const phases = document(stage).phases.map(({ name, steps }) => [name, steps.map((step) => step.name)]);
      expect(phases).toEqual([
        ["build", ["Fetch", "Unpack", "Install"]],
        ["validate", ["Check"]],
        ["test", ["Fetch", "Unpack", "Check", "Boot", "Publish"]],
      ]);
      expect(only(stage, "ImagePipeline")["ImageTestsConfiguration"]).toMatchObject({
        ImageTestsEnabled: true,
      });
      const text = JSON.stringify(document(stage));
      expect(text).toContain("aws/build.sh /var/tmp/pgherd/recipe /var/tmp/pgherd/run");
      expect(text).toContain("aws/smoke-test.sh");
    }
    expect(stacks.filter(({ stage, name }) => stage === "local" && name === "NodeImage")).toEqual([]);
  });

  test("is what launches find by the environment's parameter, which nothing else is written to", () => {
    for (const stage of awsStages) {
      const name = `/pgherd/${stage}/node-image`;
      expect(only(stage, "DistributionConfiguration")["Distributions"]).toMatchObject([
        { SsmParameterConfigurations: [{ ParameterName: name, DataType: "aws:ec2:image" }] },
      ]);
      const template = resourcesOf(findStack(stacks, stage, "ControlPlane"), "AWS::EC2::LaunchTemplate")[0];
      expect(template?.Properties["LaunchTemplateData"]).toMatchObject({ ImageId: `resolve:ssm:${name}` });
      const writing = policyStatements(stacks).filter(
        (one) =>
          one.stage === stage &&
          one.policy.includes("ExecutionRole") &&
          one.actions.includes("ssm:PutParameter"),
      );
      expect(writing.flatMap(({ resources }) => resources)).toEqual([
        expect.stringMatching(new RegExp(`:parameter${name}$`)),
      ]);
    }
  });

  test("has what is in it published under the environment's own name, by machines that were found good", () => {
    for (const stage of awsStages) {
      const name = `/pgherd/${stage}/node-image-manifest`;
      expect(JSON.stringify(document(stage))).toContain(`publish-manifest.cjs ${name} /usr/lib/pgherd/`);
      const writing = policyStatements(stacks).filter(
        (one) =>
          one.stage === stage && one.policy.includes("BuildRole") && one.actions.includes("ssm:PutParameter"),
      );
      expect(writing.flatMap(({ resources }) => resources)).toEqual([
        expect.stringMatching(new RegExp(`:parameter${name}$`)),
      ]);
    }
  });

  test("is made on a machine that answers no metadata from behind it, and that goes when it fails", () => {
    for (const stage of awsStages) {
      expect(only(stage, "InfrastructureConfiguration")).toMatchObject({
        InstanceMetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
        TerminateInstanceOnFailure: true,
      });
      expect(only(stage, "ImageRecipe")).toMatchObject({
        ParentImage: "ssm:/aws/service/debian/release/13/latest/arm64",
        BlockDeviceMappings: [{ Ebs: { Encrypted: true, VolumeType: "gp3" } }],
      });
    }
  });

  test("of other contents has another version, which Image Builder asks for", () => {
    // What a stage fetches from is a part of the contents.
    for (const type of ["Component", "ImageRecipe"]) {
      const versions = awsStages.map((stage) => String(only(stage, type)["Version"]));
      for (const version of versions) expect(version).toMatch(/^1\.\d{1,5}\.\d{1,5}$/);
      if (type === "Component") expect(new Set(versions).size).toBe(versions.length);
    }
  });

  test("has every major version of PostgreSQL that it is checked and booted with", async () => {
    const read = (file: string) => readFile(path.join(parts, file), "utf8");
    const common = await readFile(path.join(parts, "../node-image/packages.txt"), "utf8");
    const packages = `${common}\n${await read("packages.txt")}`;
    const versions = [...packages.matchAll(/^postgresql-(\d+)\s/gm)]
      .map((match) => match[1] ?? "")
      .toSorted();
    expect(versions).toEqual(["16", "17", "18"]);
    for (const version of versions)
      expect(packages).toMatch(new RegExp(`^postgresql-${version}-pgvector\\s`, "m"));
    for (const script of ["check.sh", "smoke-test.sh"])
      expect(await read(script)).toContain(`|| set -- ${versions.join(" ")}\n`);
    expect(await read("check.sh")).toContain("agent_min=3.3.2746.0");
    // The first release that knows PostgreSQL 18.
    expect(common).toMatch(/^patroni\s+4\.0\.7-/m);
  });
});
