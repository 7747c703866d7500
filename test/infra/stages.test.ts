import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { stageNames } from "../../infra/config/index.ts";
import {
  allResources,
  findStack,
  type Resource,
  resourcesOf,
  type Stack,
  synthesizeAll,
} from "./support/synthesized.ts";

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

/** CDK's provider framework has functions of its own, which ask ours. */
const isFramework = ({ Properties }: Resource): boolean =>
  String(Properties["Handler"]).startsWith("framework.");

let stacks: readonly Stack[];

/** Functions of the product. */
const ourFunctions = () => allResources(stacks, "AWS::Lambda::Function").filter((one) => !isFramework(one));

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

describe("what holds data", () => {
  test.each(["staging", "prod"] as const)(
    "in %s survives its stack, which takes a deliberate act to delete",
    (stage) => {
      const data = findStack(stacks, stage, "Data");
      expect(data.terminationProtection).toBe(true);
      expect(findStack(stacks, stage, "Nodes").terminationProtection).toBe(true);
      const kept = Object.values(data.template.Resources).filter(({ Type }) => Type !== "AWS::KMS::Alias");
      expect(kept.length).toBeGreaterThan(2);
      for (const resource of kept) {
        expect(["Retain", "RetainExceptOnCreate"]).toContain(resource.DeletionPolicy);
        expect(resource.UpdateReplacePolicy).toBe("Retain");
      }
      expect(resourcesOf(data, "AWS::DynamoDB::Table")[0]?.Properties["DeletionProtectionEnabled"]).toBe(
        true,
      );
    },
  );

  test.each(["local", "dev"] as const)("in %s goes with its stack", (stage) => {
    const data = findStack(stacks, stage, "Data");
    expect(data.terminationProtection).toBe(false);
    for (const resource of Object.values(data.template.Resources)) {
      expect(resource.DeletionPolicy ?? "Delete").toBe("Delete");
    }
  });

  test("is not in the control plane, which can be thrown away", () => {
    const holding = [
      "AWS::DynamoDB::Table",
      "AWS::KMS::Key",
      "AWS::Logs::LogGroup",
      "AWS::S3::Bucket",
      "AWS::EC2::VPC",
    ];
    for (const stage of stageNames) {
      const types = Object.values(findStack(stacks, stage, "ControlPlane").template.Resources).map(
        ({ Type }) => Type,
      );
      expect(types.filter((type) => holding.includes(type))).toEqual([]);
    }
  });

  test("is one bucket of backups: private, over TLS alone, encrypted by the environment's key, with versions", () => {
    const keys = allResources(stacks, "AWS::KMS::Key");
    const buckets = allResources(stacks, "AWS::S3::Bucket");
    expect(buckets.map(({ stage }) => stage).sort()).toEqual([...stageNames].sort());
    for (const { Properties, stage } of buckets) {
      const key = keys.find((found) => found.stage === stage)?.id;
      expect(Properties).toMatchObject({
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            {
              BucketKeyEnabled: true,
              ServerSideEncryptionByDefault: {
                SSEAlgorithm: "aws:kms",
                KMSMasterKeyID: { "Fn::GetAtt": [key, "Arn"] },
              },
            },
          ],
        },
        VersioningConfiguration: { Status: "Enabled" },
      });
      expect(Properties["BucketName"]).toBeUndefined();
    }
    for (const { Properties } of allResources(stacks, "AWS::S3::BucketPolicy")) {
      expect(Properties["PolicyDocument"]).toMatchObject({
        Statement: [
          {
            Effect: "Deny",
            Action: "s3:*",
            Principal: { AWS: "*" },
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          },
        ],
      });
    }
  });

  test("is one table with two indexes, point-in-time recovery and no capacity to plan", () => {
    for (const table of allResources(stacks, "AWS::DynamoDB::Table")) {
      expect(table.Properties).toMatchObject({
        KeySchema: keys("pk", "sk"),
        GlobalSecondaryIndexes: [
          { IndexName: "gsi1", KeySchema: keys("gsi1pk", "gsi1sk"), Projection: { ProjectionType: "ALL" } },
          { IndexName: "gsi2", KeySchema: keys("gsi2pk", "gsi2sk"), Projection: { ProjectionType: "ALL" } },
        ],
        BillingMode: "PAY_PER_REQUEST",
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true },
      });
    }
  });
});

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

describe("the API", () => {
  test("asks for a caller below /v1 and lets the function answer everything else", () => {
    for (const stage of stageNames) {
      const routes = resourcesOf(findStack(stacks, stage, "ControlPlane"), "AWS::ApiGatewayV2::Route");
      const authorization = Object.fromEntries(
        routes.map(({ Properties: p }) => [p["RouteKey"], p["AuthorizationType"]]),
      );
      expect(authorization).toEqual({
        "GET /v1/{proxy+}": stage === "local" ? "JWT" : "AWS_IAM",
        "ANY /v1/{proxy+}": stage === "local" ? "JWT" : "AWS_IAM",
        "GET /healthz": "NONE",
        "GET /openapi.json": "NONE",
        "GET /docs": "NONE",
        $default: "NONE",
      });
    }
  });
});

describe("the API's limits", () => {
  test("are a route's own: strangers and changes get fewer calls than reads", () => {
    for (const stage of stageNames) {
      const stack = findStack(stacks, stage, "ControlPlane");
      const [found, ...more] = resourcesOf(stack, "AWS::ApiGatewayV2::Stage");
      expect(more).toEqual([]);
      const limits = z
        .record(z.string(), z.object({ ThrottlingRateLimit: z.number(), ThrottlingBurstLimit: z.number() }))
        .parse(found?.Properties["RouteSettings"]);
      const perSecond = (route: string) => limits[route]?.ThrottlingRateLimit ?? 0;
      expect(Object.keys(limits)).toEqual([
        "GET /v1/{proxy+}",
        "$default",
        "GET /healthz",
        "GET /openapi.json",
        "GET /docs",
      ]);
      expect(perSecond("GET /v1/{proxy+}")).toBeGreaterThan(perSecond("$default"));
      const routes = resourcesOf(stack, "AWS::ApiGatewayV2::Route").map(({ id }) => id);
      expect(found?.["DependsOn"]).toEqual(expect.arrayContaining(routes));
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

const documentSchema = z.object({
  parameters: z.record(z.string(), z.object({ interpolationType: z.string(), allowedPattern: z.string() })),
  mainSteps: z.array(z.unknown()),
});

function keys(partition: string, sort: string): object {
  return [
    { AttributeName: partition, KeyType: "HASH" },
    { AttributeName: sort, KeyType: "RANGE" },
  ];
}

function refersTo(value: unknown, id: string): boolean {
  return JSON.stringify(value) === JSON.stringify({ Ref: id });
}

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
  const text = JSON.stringify(template, null, 2)
    .replace(/[0-9a-f]{64}/g, "<sha256>")
    .replace(/"Version": "1\.\d+\.\d+"/g, '"Version": "<hash>"')
    .replace(/(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}/g, "$1<version>");
  return `${text}\n`;
}
