import { beforeAll, describe, expect, test } from "vitest";
import { stageNames } from "../../infra/config/index.ts";
import { allResources, resourcesOf, type Stack, synthesizeAll } from "./support/synthesized.ts";

/** A deployment that renames one of these loses data: CloudFormation deletes the old and makes a new one. */
const statefulIds = {
  "AWS::DynamoDB::Table": ["Table710B521B"],
  "AWS::KMS::Key": ["Key9BCD29C7"],
  "AWS::S3::Bucket": ["BackupsBucket2936A3AA"],
  "AWS::EC2::VPC": ["NetworkVpc7FB7348F"],
  "AWS::Scheduler::ScheduleGroup": ["SchedulesGroupC7F67308"],
  // Instances that run have them.
  "AWS::EC2::Subnet": [
    "NetworkVpcnodesSubnet1SubnetE013D65E",
    "NetworkVpcnodesSubnet2SubnetA2D1A651",
    "NetworkVpcnodesSubnet3Subnet7E78832D",
  ],
} as const;

/** What `local/` has to bring about. A new type needs a place there, or a reason why one machine has no use for it. */
const localTypes = [
  "AWS::ApiGatewayV2::Api",
  "AWS::ApiGatewayV2::Authorizer",
  "AWS::ApiGatewayV2::Integration",
  "AWS::ApiGatewayV2::Route",
  "AWS::ApiGatewayV2::Stage",
  "AWS::DynamoDB::Table",
  "AWS::EC2::LaunchTemplate",
  "AWS::EC2::RouteTable",
  "AWS::EC2::SecurityGroup",
  "AWS::EC2::Subnet",
  "AWS::EC2::SubnetRouteTableAssociation",
  "AWS::EC2::VPC",
  "AWS::Events::Rule",
  "AWS::IAM::ManagedPolicy",
  "AWS::IAM::Policy",
  "AWS::IAM::Role",
  "AWS::KMS::Alias",
  "AWS::KMS::Key",
  "AWS::Lambda::Alias",
  "AWS::Lambda::Function",
  "AWS::Lambda::LayerVersion",
  "AWS::Lambda::Permission",
  "AWS::Lambda::Version",
  "AWS::Logs::LogGroup",
  "AWS::S3::Bucket",
  "AWS::S3::BucketPolicy",
  "AWS::SSM::Document",
  "AWS::Scheduler::ScheduleGroup",
];
const localIntrinsics = ["Fn::GetAtt", "Fn::ImportValue", "Fn::Join", "Ref"];

let stacks: readonly Stack[];

beforeAll(async () => {
  stacks = await synthesizeAll();
});

describe("every stage", () => {
  test.each(stageNames)(
    "%s deploys data, then what nodes stand on, then the control plane, then clusters",
    (stage) => {
      const all = stacks.filter((stack) => stack.stage === stage).map((stack) => stack.name);
      // The image is made beside everything else.
      const names = all.filter((name) => name !== "NodeImage");
      expect(all.length - names.length).toBe(stage === "local" ? 0 : 1);
      // Clusters in templates are CloudFormation's.
      expect(names).toEqual(["Data", "Nodes", "ControlPlane", ...(stage === "local" ? [] : ["Clusters"])]);
    },
  );

  test("has stacks, functions, documents and exports that no other stage has, so that two fit in one account", () => {
    const stackNames = stacks.map((stack) => stack.stackName);
    const named = [
      "AWS::Lambda::Function",
      "AWS::SSM::Document",
      "AWS::EC2::LaunchTemplate",
      "AWS::Logs::LogGroup",
    ];
    const names = named.flatMap((type) =>
      allResources(stacks, type).map(
        ({ Properties: p, stage }) =>
          [p["FunctionName"] ?? p["Name"] ?? p["LaunchTemplateName"] ?? p["LogGroupName"], stage] as const,
      ),
    );
    expect(new Set(stackNames).size).toBe(stackNames.length);
    // What has no name of ours gets one of CloudFormation's, which begins with its stack's.
    const ours = names.filter(([name]) => name !== undefined);
    expect(names.length - ours.length).toBe(stageNames.filter((stage) => stage !== "local").length * 2);
    expect(ours.filter(([name, stage]) => !String(name).split(/[-/]/).includes(stage))).toEqual([]);
  });

  test.each(stageNames)("%s keeps the logical ids of what holds data", (stage) => {
    for (const [type, ids] of Object.entries(statefulIds)) {
      const found = stacks
        .filter((stack) => stack.stage === stage && ["Data", "Nodes"].includes(stack.name))
        .flatMap((stack) => resourcesOf(stack, type).map(({ id }) => id));
      expect(found).toEqual(ids);
    }
  });

  test("looks as it did, on AWS and locally (hashes of assets and versions aside)", async () => {
    for (const stack of stacks.filter(({ stage }) => stage === "local" || stage === "prod")) {
      await expect(redact(stack.template)).toMatchFileSnapshot(
        `snapshots/${stack.stage}-${stack.name}.template.json.snap`,
      );
    }
  });
});

describe("every template", () => {
  test("stays well within CloudFormation's own limits", () => {
    for (const { stackName, template } of stacks) {
      const outputs = Object.keys(template["Outputs"] ?? {});
      expect(Buffer.byteLength(JSON.stringify(template)), stackName).toBeLessThan(0.8 * 1024 * 1024);
      expect(Object.keys(template.Resources).length, stackName).toBeLessThan(0.8 * 500);
      expect(outputs.length, stackName).toBeLessThan(0.8 * 200);
    }
  });
});

describe("the local stage", () => {
  test("contains only what one machine can bring about", () => {
    const local = stacks.filter((stack) => stack.stage === "local");
    const types = local.flatMap((stack) => Object.values(stack.template.Resources).map(({ Type }) => Type));
    expect([...new Set(types)].sort()).toEqual(localTypes);
    expect([...new Set(local.flatMap((stack) => intrinsics(stack.template)))].sort()).toEqual(
      localIntrinsics,
    );
  });
});

function intrinsics(value: unknown): readonly string[] {
  if (Array.isArray(value)) {
    return value.flatMap(intrinsics);
  }
  if (typeof value !== "object" || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, inner]) => [
    ...(key === "Ref" || key.startsWith("Fn::") ? [key] : []),
    ...intrinsics(inner),
  ]);
}

/** Assets and versions are named by hashes of code, which changes without changing what is deployed where. */
function redact(template: unknown): string {
  const text = JSON.stringify(template)
    .replace(/[0-9a-f]{64}/g, "<sha256>")
    .replace(/"Version":"1\.\d+\.\d+"/g, '"Version":"<hash>"')
    .replace(/(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}/g, "$1<version>");
  return `${JSON.stringify(JSON.parse(text, inOrder), null, 2)}\n`;
}

/** CDK sorts what a statement is about, and assets by their hashes with it. */
function inOrder(key: string, value: unknown): unknown {
  if (key !== "Resource" || !Array.isArray(value)) return value;
  const texts = value.map((resource: unknown) => JSON.stringify(resource));
  return texts.toSorted().map((resource): unknown => JSON.parse(resource));
}
