import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { stageNames } from "../../infra/config/index.ts";
import { allResources, type Stack, synthesizeAll } from "./support/synthesized.ts";

const documentSchema = z.object({
  parameters: z.record(z.string(), z.object({ interpolationType: z.string(), allowedPattern: z.string() })),
  mainSteps: z.array(z.unknown()),
});

let stacks: readonly Stack[];
beforeAll(async () => {
  stacks = await synthesizeAll();
});

describe("nodes", () => {
  test("start with IMDSv2 only, out of reach of anything behind the node, and an encrypted root volume", () => {
    const templates = allResources(stacks, "AWS::EC2::LaunchTemplate");
    expect(templates).toHaveLength(stageNames.length);
    for (const { Properties } of templates) {
      const data = z.record(z.string(), z.unknown()).parse(Properties["LaunchTemplateData"]);
      // Its interface and its data volume are its own, and outlive it; nobody logs in.
      for (const field of ["NetworkInterfaces", "SecurityGroupIds", "KeyName", "UserData"]) {
        expect(data[field], field).toBeUndefined();
      }
      expect(data).toMatchObject({
        MetadataOptions: { HttpEndpoint: "enabled", HttpTokens: "required", HttpPutResponseHopLimit: 1 },
        BlockDeviceMappings: [
          {
            Ebs: {
              VolumeType: "gp3",
              Encrypted: true,
              KmsKeyId: expect.anything(),
              DeleteOnTermination: true,
            },
          },
        ],
      });
    }
  });

  test("take commands whose every parameter is checked and reaches the script as a variable, never as text", () => {
    for (const { Properties } of allResources(stacks, "AWS::SSM::Document")) {
      const content = documentSchema.parse(Properties["Content"]);
      expect(Object.keys(content.parameters)).toEqual([
        "Program",
        "Bucket",
        "Key",
        "Verb",
        "Input",
        "Operation",
        "Step",
      ]);
      for (const parameter of Object.values(content.parameters)) {
        expect(parameter.interpolationType).toBe("ENV_VAR");
        expect(parameter.allowedPattern).toMatch(/^\^.+\$$/);
      }
      expect(JSON.stringify(content.mainSteps)).not.toContain("{{");
      expect(Properties["UpdateMethod"]).toBe("NewVersion");
    }
  });

  test("have no public address and no way to or from the internet", () => {
    const open = ["AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"];
    expect(open.flatMap((type) => allResources(stacks, type))).toEqual([]);
    for (const subnet of allResources(stacks, "AWS::EC2::Subnet")) {
      expect(subnet.Properties["MapPublicIpOnLaunch"]).toBe(false);
    }
    for (const group of allResources(stacks, "AWS::EC2::SecurityGroup")) {
      expect(JSON.stringify(group.Properties["SecurityGroupIngress"] ?? [])).not.toContain("0.0.0.0/0");
    }
  });
});
