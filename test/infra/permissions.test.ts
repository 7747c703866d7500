import { beforeAll, describe, expect, test } from "vitest";
import { policyStatements, type Statement, show } from "./support/policies.ts";
import { allResources, type Stack, synthesizeAll } from "./support/synthesized.ts";

/** Actions for which IAM knows no resource (Service Authorization Reference). */
const withoutResources = [
  "ec2:DescribeImages",
  "ec2:DescribeInstances",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSecurityGroups",
  "ec2:DescribeVolumes",
  "ec2:DescribeVolumesModifications",
  "iam:ListRoles",
  "scheduler:ListSchedules",
  "ssm:DescribeInstanceInformation",
  "ssm:GetCommandInvocation",
  "ssmmessages:CreateControlChannel",
  "ssmmessages:OpenControlChannel",
  "xray:PutTelemetryRecords",
  "xray:PutTraceSegments",
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

  test("lets a role be passed to EC2 and the scheduler only: the nodes' own and the schedules'", () => {
    const passing = statements.filter(({ actions }) => actions.includes("iam:PassRole"));
    expect([...new Set(passing.map(({ stage }) => stage))].sort()).toEqual([
      "dev",
      "local",
      "prod",
      "staging",
    ]);
    for (const { resources, conditions } of passing) {
      expect(resources).toHaveLength(1);
      const isOfNodes = /:role\/pgherd\/\w+\/nodes\/pgherd-\w+-clu_\*$/.test(resources[0] ?? "");
      if (!isOfNodes) expect(resources[0]).toContain("SchedulesRole");
      const service = isOfNodes ? "ec2.amazonaws.com" : "scheduler.amazonaws.com";
      expect(conditions).toEqual({ StringEquals: { "iam:PassedToService": service } });
    }
  });

  test("is ours: no role has one of AWS's own, which reach further than we need", () => {
    // What Image Builder needs on its machines and for its work is AWS's to say.
    const isImageBuilders = (id: string) => /^Pipeline(Build|Execution)Role/.test(id);
    for (const role of allResources(stacks, "AWS::IAM::Role").filter(({ id }) => !isImageBuilders(id))) {
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

/** Statements that read or write a secret, or what it is sealed with. */
const aboutSecrets = (owner: string) =>
  of(owner).filter(({ actions }) =>
    actions.some((action) => /^kms:|^ssm:(Get|Put)Parameters?$/.test(action)),
  );

/** Keys of stores of others, which people put there, and no secret of a cluster. */
function expectStoreKeysAlone(owner: string): void {
  const found = aboutSecrets(owner);
  expect(found.flatMap(({ actions }) => actions).toSorted()).toEqual(["kms:Decrypt", "ssm:GetParameter"]);
  for (const { actions, conditions, resources } of found) {
    const places = actions.includes("ssm:GetParameter")
      ? resources
      : [show(conditions["StringLike"]?.["kms:EncryptionContext:PARAMETER_ARN"])];
    expect(places).toEqual([expect.stringMatching(/:parameter\/pgherd\/prod\/stores\/\*$/)]);
  }
}

describe("the boundary of nodes", () => {
  test("reads passwords of users, the pass of backups and keys of stores in Parameter Store, above all no CA key", () => {
    const paths = [
      "parameter/pgherd/prod/clu_*/users/*",
      "parameter/pgherd/prod/clu_*/backup/*",
      "parameter/pgherd/prod/stores/*",
    ];
    const reading = of("IdentityBoundary").filter(({ actions }) => actions.includes("ssm:GetParameters"));
    const read = reading.flatMap(({ resources }) => resources).map((arn) => arn.split(":").at(-1));
    expect(read.sort()).toEqual([...paths].sort());
    const decrypting = of("IdentityBoundary").filter(({ conditions }) =>
      JSON.stringify(conditions).includes("PARAMETER_ARN"),
    );
    expect(decrypting.flatMap(({ actions }) => actions)).toEqual(paths.map(() => "kms:Decrypt"));
    for (const path of paths) expect(JSON.stringify(decrypting)).toContain(path);
  });

  test("reads programs below the environment's prefix in S3, and keeps backups below the clusters' own", () => {
    const objects = of("IdentityBoundary")
      .filter(({ actions }) => actions.some((action) => /^s3:(?!List(Bucket|BucketMulti))/.test(action)))
      .map(({ actions, resources }) => [
        [...actions].sort(),
        resources.map((arn) => arn.replace(/^.*>/, "")),
      ]);
    expect(objects).toEqual([
      [["s3:GetObject"], [expect.stringMatching(/\/pgherd\/prod\/\*\.cjs$/)]],
      [
        [
          "s3:AbortMultipartUpload",
          "s3:DeleteObject",
          "s3:GetObject",
          "s3:ListMultipartUploadParts",
          "s3:PutObject",
        ],
        ["/clusters/*"],
      ],
    ]);
  });

  test("lists backups below the clusters' prefix alone, and changes nothing about the bucket", () => {
    const listing = of("IdentityBoundary").filter(({ actions }) => actions.includes("s3:ListBucket"));
    expect(listing).toHaveLength(1);
    expect(listing[0]?.actions).toEqual(["s3:ListBucket", "s3:ListBucketMultipartUploads"]);
    expect(listing[0]?.conditions).toEqual({ StringLikeIfExists: { "s3:prefix": "clusters/*" } });
    const everywhere = statements.flatMap(({ actions }) => actions);
    expect(everywhere.filter((action) => /^s3:(Put|Delete|Create)Bucket/.test(action))).toEqual([]);
  });

  test("uses the key for backups through S3, and for the objects of their bucket only", () => {
    const using = of("IdentityBoundary").filter(({ actions }) => actions.includes("kms:GenerateDataKey"));
    expect(using).toHaveLength(1);
    expect(using[0]?.actions).toEqual(["kms:Decrypt", "kms:GenerateDataKey"]);
    expect(Object.keys(using[0]?.conditions ?? {})).toEqual(["StringEquals"]);
    expect(using[0]?.conditions["StringEquals"]).toEqual({
      "kms:ViaService": "s3.eu-central-1.amazonaws.com",
      "kms:EncryptionContext:aws:s3:arn": expect.anything(),
    });
  });

  test("does nothing else but answer its agent's messages", () => {
    const messages = /^ssmmessages:/;
    expect(actionsOf("IdentityBoundary").filter((action) => !messages.test(action))).toEqual([
      "kms:Decrypt",
      "kms:GenerateDataKey",
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:GetObject",
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
      "ssm:GetParameters",
      "ssm:UpdateInstanceInformation",
    ]);
  });
});

describe("a schedule", () => {
  test("may start the function that takes backups, and nothing else", () => {
    const own = of("SchedulesRole");
    expect(own).toHaveLength(1);
    expect(own[0]).toMatchObject({ actions: ["lambda:InvokeFunction"], conditions: {} });
    expect(own[0]?.resources.map((arn) => arn.split(":function:")[1])).toEqual(["pgherd-prod-start-backup"]);
  });

  test("is the scheduler's alone, and only for the environment's own group", () => {
    const roles = allResources(stacks, "AWS::IAM::Role").filter(({ id }) => id.startsWith("SchedulesRole"));
    expect(roles.map(({ stage }) => stage).sort()).toEqual(["dev", "local", "prod", "staging"]);
    for (const { Properties, stage } of roles) {
      const document = JSON.stringify(Properties["AssumeRolePolicyDocument"]);
      expect(document).toContain('"Principal":{"Service":"scheduler.amazonaws.com"}');
      expect(document).toContain('"aws:SourceAccount"');
      expect(document).toContain(`:schedule-group/pgherd-${stage}-clusters`);
    }
  });

  test("is made by whoever makes or changes clusters, removed with them, and within the group alone", () => {
    const may = (action: string): string[] =>
      statements
        .filter(({ actions, stage }) => stage === "prod" && actions.includes(`scheduler:${action}`))
        .map(({ policy }) => policy.replace(/(Workflow|Reconciler)?Role.*$/, ""))
        .sort();
    const changing = [
      "ConvergeCluster",
      "CreateCluster",
      "RecoverCluster",
      "RestoreCluster",
      "UndeleteCluster",
    ];
    expect(may("CreateSchedule")).toEqual(changing);
    expect(may("UpdateSchedule")).toEqual(changing);
    expect(may("DeleteSchedule")).toEqual([...changing, "DeleteCluster", "Orphans"].sort());
    expect(may("ListSchedules")).toEqual(["Orphans"]);
    const made = statements.filter(({ actions }) => actions.includes("scheduler:DeleteSchedule"));
    for (const { resources, stage } of made) {
      expect(resources.map((arn) => arn.split(":").at(-1))).toEqual([
        `schedule/pgherd-${stage}-clusters/clu_*`,
      ]);
    }
  });
});

describe("the role of a cluster's nodes", () => {
  const may = (action: string): string[] => {
    const granting = statements.filter(({ actions, stage }) => stage === "prod" && actions.includes(action));
    return [
      ...new Set(granting.map(({ policy }) => policy.replace(/(Workflow|Reconciler)?Role.*$/, ""))),
    ].sort();
  };
  const makers = [
    ...["ConvergeCluster", "CreateCluster", "DrillBackup", "RecoverCluster"],
    ...["RestoreCluster", "StartCluster", "UndeleteCluster"],
  ];
  const undoing = ["CreateCluster", "DrillBackup", "RestoreCluster", "UndeleteCluster"];

  test("is made and given to instances by whoever makes instances, and removed with its cluster", () => {
    for (const action of ["CreateRole", "CreateInstanceProfile", "AddRoleToInstanceProfile"]) {
      expect(may(`iam:${action}`), action).toEqual(makers);
    }
    expect(may("iam:PutRolePolicy")).toEqual([...makers, "LoadDatabase"].sort());
    for (const action of ["DeleteRole", "DeleteRolePolicy", "DeleteInstanceProfile"]) {
      expect(may(`iam:${action}`), action).toEqual(["DeleteCluster", "Orphans", ...undoing].sort());
    }
    expect(may("iam:ListRoles")).toEqual(["Orphans"]);
  });

  test("can be made and changed within the boundary alone, and only below the environment's path", () => {
    const granting = statements.filter(({ actions }) =>
      actions.some((action) => /^iam:(CreateRole|PutRolePolicy)$/.test(action)),
    );
    for (const { actions, conditions, resources, stage } of granting) {
      const boundary = show(conditions["StringEquals"]?.["iam:PermissionsBoundary"]);
      expect(boundary, actions.join()).toMatch(
        new RegExp(`:policy/pgherd/${stage}/nodes/pgherd-${stage}-nodes$`),
      );
      expect(resources.map((arn) => arn.split(":").at(-1))).toEqual([
        `role/pgherd/${stage}/nodes/pgherd-${stage}-clu_*`,
      ]);
    }
  });
});

describe("a function", () => {
  const objects = (owner: string) =>
    of(owner).filter(({ actions }) => actions.some((one) => one.startsWith("s3:")));

  test("of the API sees the names of backups, and none of what is in them", () => {
    expect(objects("ApiFunctionRole").flatMap(({ actions }) => actions)).toEqual(["s3:ListBucket"]);
    expect(objects("ApiFunctionRole").map(({ conditions }) => conditions)).toEqual([
      { StringLike: { "s3:prefix": "clusters/*" } },
    ]);
  });

  test("that removes what was kept of deleted clusters reads no backup, and of secrets keys of stores alone", () => {
    const [listing, removing, ...more] = objects("DeletedClustersReconcilerRole");
    expect(more).toEqual([]);
    expect(listing).toMatchObject({
      actions: ["s3:ListBucket"],
      conditions: { StringLike: { "s3:prefix": "clusters/*" } },
    });
    expect(removing?.actions).toEqual(["s3:DeleteObject"]);
    expect(removing?.resources.map((arn) => arn.replace(/^.*>/, ""))).toEqual(["/clusters/*"]);
    expectStoreKeysAlone("DeletedClustersReconcilerRole");
    const reading = /^(ec2:|s3:Get|s3:Put)/;
    expect(actionsOf("DeletedClustersReconcilerRole").filter((action) => reading.test(action))).toEqual([]);
  });

  test("that deletes clusters starts backups, and nothing else", () => {
    const starting = of("DeleteClusterWorkflowRole").filter(({ actions }) =>
      actions.includes("lambda:InvokeFunction"),
    );
    expect(starting.flatMap(({ resources }) => resources)).toEqual([
      expect.stringMatching(/BackupCluster.*Aliaslive/),
    ]);
  });

  test("of the API makes and removes no machine, sees security groups, and reads keys of stores and no other secret", () => {
    expect(actionsOf("ApiFunctionRole").filter((action) => /^(ec2|iam):/.test(action))).toEqual([
      "ec2:DescribeSecurityGroups",
    ]);
    const parameters = actionsOf("ApiFunctionRole").filter((action) => action.includes("Parameter"));
    expect(parameters).toEqual(["ssm:GetParameter"]);
    expectStoreKeysAlone("ApiFunctionRole");
  });

  test("reads keys of stores only where it tries a store or removes what is in it", () => {
    const reading = statements.filter(({ resources }) => resources.some((arn) => arn.includes("/stores/")));
    const owners = new Set(
      reading.map(({ policy }) => policy.replace(/(Role|DefaultPolicy|Boundary).*$/, "")),
    );
    expect([...owners].toSorted()).toEqual([
      "ApiFunction",
      "ClusterProviderAwait",
      "ClusterProviderBegin",
      "CreateClusterWorkflow",
      "DeletedClustersReconciler",
      "Identity",
      "RestoreClusterWorkflow",
    ]);
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
    const invoking = statements.filter(
      ({ actions, policy }) =>
        actions.includes("lambda:InvokeFunction") &&
        !policy.startsWith("SchedulesRole") &&
        // CDK's provider framework asks its own functions and those of clusters in templates.
        !/^ClusterProvider(BeginRole|AwaitRole|Framework)/.test(policy),
    );
    expect(invoking.length).toBeGreaterThan(0);
    expect(
      invoking.flatMap(({ resources }) => resources).filter((arn) => !arn.includes("Aliaslive")),
    ).toEqual([]);
  });

  test("removes versions of workflows only where it looks after them, and reads nothing on record", () => {
    const own = of("RetiredVersionsReconcilerRole");
    const removing = statements.filter(
      ({ actions, stage }) => stage === "prod" && actions.includes("lambda:DeleteFunction"),
    );
    const names = removing.flatMap(({ resources }) => resources).map((one) => one.split(":function:")[1]);
    expect(names).toContain("pgherd-prod-create-cluster:*");
    expect(names.filter((name) => !/^pgherd-prod-[a-z-]+:\*$/.test(name ?? ""))).toEqual([]);
    for (const { policy } of removing) expect(policy).toMatch(/^RetiredVersionsReconcilerRole/);
    expect(own.flatMap(({ actions }) => actions).filter((action) => action.startsWith("dynamodb:"))).toEqual(
      [],
    );
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
