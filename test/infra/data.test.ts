import { beforeAll, describe, expect, test } from "vitest";
import { stageNames } from "../../infra/config/index.ts";
import { allResources, findStack, resourcesOf, type Stack, synthesizeAll } from "./support/synthesized.ts";

let stacks: readonly Stack[];
beforeAll(async () => {
  stacks = await synthesizeAll();
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

function keys(partition: string, sort: string): object {
  return [
    { AttributeName: partition, KeyType: "HASH" },
    { AttributeName: sort, KeyType: "RANGE" },
  ];
}
