import { beforeAll, describe, expect, test } from "vitest";
import { policyStatements, type Statement } from "./support/policies.ts";
import { allResources, type Stack, synthesizeAll } from "./support/synthesized.ts";

/** Actions for which IAM knows no resource (Service Authorization Reference). */
const withoutResources = [
  "ec2:DescribeInstances",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSecurityGroups",
  "ec2:DescribeVolumes",
  "ec2:DescribeVolumesModifications",
  "ec2messages:AcknowledgeMessage",
  "ec2messages:DeleteMessage",
  "ec2messages:FailMessage",
  "ec2messages:GetEndpoint",
  "ec2messages:GetMessages",
  "ec2messages:SendReply",
  "ssm:DescribeInstanceInformation",
  "ssm:GetCommandInvocation",
  "ssmmessages:CreateControlChannel",
  "ssmmessages:OpenControlChannel",
];

let stacks: readonly Stack[];
let statements: readonly Statement[];

beforeAll(async () => {
  stacks = await synthesizeAll();
  statements = policyStatements(stacks);
});

/** Statements of the roles whose policy's logical id starts with this. */
function of(owner: string, stage = "prod"): readonly Statement[] {
  const found = statements.filter(
    (statement) => statement.stage === stage && statement.policy.startsWith(owner),
  );
  expect(found, `policies of ${owner}`).not.toEqual([]);
  return found;
}

function actionsOf(owner: string): readonly string[] {
  return [...new Set(of(owner).flatMap((statement) => statement.actions))].sort();
}

describe("every policy", () => {
  test("names its actions one by one", () => {
    expect(statements.length).toBeGreaterThan(20);
    expect(statements.flatMap(({ actions }) => actions).filter((action) => action.includes("*"))).toEqual([]);
  });

  test("names resources, except for actions that know none", () => {
    const everything = statements.filter(({ resources }) => resources.includes("*"));
    const actions = new Set(everything.flatMap((statement) => statement.actions));
    expect([...actions].filter((action) => !withoutResources.includes(action))).toEqual([]);
  });

  test("reaches instances, volumes, interfaces and security groups by the environment's tag alone", () => {
    const reaching = statements.filter(
      ({ resources, actions }) =>
        resources.some((arn) => /:(instance|volume|network-interface|security-group)\/\*$/.test(arn)) &&
        // The agent's own heartbeat, which carries the instance's own identity.
        !actions.includes("ssm:UpdateInstanceInformation"),
    );
    expect(reaching.length).toBeGreaterThan(10);
    for (const { conditions, stage, actions } of reaching) {
      const tags = Object.entries(conditions["StringEquals"] ?? {}).filter(([key]) =>
        key.endsWith("Tag/pgherd:environment"),
      );
      expect(
        tags.map(([, value]) => value),
        actions.join(),
      ).toEqual([stage]);
    }
  });

  test("lets a role be passed to EC2 only, and only the nodes' own", () => {
    const passing = statements.filter(({ actions }) => actions.includes("iam:PassRole"));
    expect([...new Set(passing.map(({ stage }) => stage))].sort()).toEqual([
      "dev",
      "local",
      "prod",
      "staging",
    ]);
    for (const { resources, conditions } of passing) {
      expect(conditions).toEqual({ StringEquals: { "iam:PassedToService": "ec2.amazonaws.com" } });
      expect(resources).toHaveLength(1);
      expect(resources[0]).toContain("IdentityRole");
    }
  });

  test("is ours: no role has one of AWS's own, which reach further than we need", () => {
    for (const role of allResources(stacks, "AWS::IAM::Role")) {
      expect(role.Properties["ManagedPolicyArns"], role.id).toBeUndefined();
    }
  });

  test("runs our document on our instances and no other", () => {
    const sending = statements.filter(({ actions }) => actions.includes("ssm:SendCommand"));
    expect(sending.length).toBeGreaterThan(0);
    for (const { resources, conditions, stage } of sending) {
      if (resources.some((arn) => arn.includes(":instance/"))) {
        expect(conditions).toEqual({ StringEquals: { "ssm:resourceTag/pgherd:environment": stage } });
      } else {
        expect(resources.map((arn) => arn.split(":").at(-1))).toEqual([`document/pgherd-${stage}-node`]);
      }
    }
  });
});

describe("a node", () => {
  test("reads passwords of users and nothing else in Parameter Store, above all no CA key", () => {
    const reading = of("IdentityRole").filter(({ actions }) => actions.includes("ssm:GetParameter"));
    expect(reading.flatMap(({ resources }) => resources).map((arn) => arn.split(":").at(-1))).toEqual([
      "parameter/pgherd/prod/clu_*/users/*",
    ]);
    const decrypting = of("IdentityRole").filter(({ actions }) => actions.includes("kms:Decrypt"));
    expect(decrypting).toHaveLength(1);
    expect(JSON.stringify(decrypting[0]?.conditions)).toContain("parameter/pgherd/prod/clu_*/users/*");
  });

  test("reads programs below the environment's prefix and nothing else in S3", () => {
    const reading = of("IdentityRole").filter(({ actions }) =>
      actions.some((action) => action.startsWith("s3:")),
    );
    expect(reading.map(({ actions }) => actions)).toEqual([["s3:GetObject"]]);
    expect(reading[0]?.resources[0]).toMatch(/\/pgherd\/prod\/\*\.mjs$/);
  });

  test("does nothing else but answer its agent's messages", () => {
    const messages = /^(ec2messages|ssmmessages):/;
    expect(actionsOf("IdentityRole").filter((action) => !messages.test(action))).toEqual([
      "kms:Decrypt",
      "s3:GetObject",
      "ssm:GetParameter",
      "ssm:GetParameters",
      "ssm:UpdateInstanceInformation",
    ]);
  });
});

describe("a function", () => {
  test("of the API makes and removes no machine and reads no secret", () => {
    expect(actionsOf("ApiFunctionRole").filter((action) => /^(ec2|kms|iam):|Parameter/.test(action))).toEqual(
      [],
    );
  });

  test("that deletes clusters makes nothing and decrypts nothing", () => {
    const forbidden = /RunInstances|Create(?!LogStream)|PassRole|kms:|PutParameter/;
    expect(actionsOf("DeleteClusterWorkflowRole").filter((action) => forbidden.test(action))).toEqual([]);
  });

  test("grows volumes and takes rules away only where it changes clusters", () => {
    const changing = ["ec2:ModifyVolume", "ec2:RevokeSecurityGroupIngress"];
    const policies = statements
      .filter(({ actions }) => actions.some((action) => changing.includes(action)))
      .map(({ policy }) => policy);
    for (const policy of policies) expect(policy).toMatch(/^(Converge|Recover)ClusterWorkflow/);
  });

  test("that starts operations invokes aliases and nothing else", () => {
    const invoking = statements.filter(({ actions }) => actions.includes("lambda:InvokeFunction"));
    expect(invoking.length).toBeGreaterThan(0);
    expect(
      invoking.flatMap(({ resources }) => resources).filter((arn) => !arn.includes("Aliaslive")),
    ).toEqual([]);
  });

  test("of a workflow checkpoints its own executions and no other's", () => {
    const checkpoints = of("CreateClusterWorkflowRole").filter(({ actions }) =>
      actions.includes("lambda:CheckpointDurableExecution"),
    );
    expect(
      checkpoints.flatMap(({ resources }) => resources).map((arn) => arn.split(":function:")[1]),
    ).toEqual(["pgherd-prod-create-cluster:*"]);
  });
});
