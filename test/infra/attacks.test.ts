import { beforeAll, describe, expect, test } from "vitest";
import type { StageName } from "../../infra/config/index.ts";
import { type Circumstances, plain, type Question } from "../../local/permissions/use.ts";
import { deployOnPaper, nodeRoleOn, type PaperStage } from "./support/paper-stage.ts";
import { answerOf } from "./support/simulate.ts";
import { synthesizeAll } from "./support/synthesized.ts";

const stageNames: readonly StageName[] = ["local", "prod"];
const cluster = "clu_01JD0000000000000000000000";

let stages: ReadonlyMap<StageName, PaperStage>;

beforeAll(async () => {
  const stacks = await synthesizeAll();
  stages = new Map(stageNames.map((name) => [name, deployOnPaper(stacks, name)]));
});

interface Attack {
  readonly what: string;
  /** What no role may do. */
  readonly attack: (stage: PaperStage) => Question;
  /** The same with what is ours, which some role may: the attack is refused for what it is about. */
  readonly ours: (stage: PaperStage) => Question;
}

const foreign = "elsewhere";
const arn = ({ region, account }: PaperStage, service: string, resource: string): string =>
  `arn:aws:${service}:${region}:${account}:${resource}`;

function about(
  action: string,
  resource: (stage: PaperStage) => string,
  circumstances: (stage: PaperStage) => Circumstances,
) {
  return (stage: PaperStage): Question => ({
    action,
    resource: resource(stage),
    circumstances: circumstances(stage),
  });
}

const tags = (key: string, environment: string): Circumstances => ({
  [`${key}/pgherd:environment`]: environment,
  [`${key}/pgherd:cluster`]: cluster,
});
const none = (): Circumstances => ({});

/** Something that EC2 made: of this environment, of another one, or of nobody that we know. */
function machineAttacks(action: string, type: string, id: string): readonly Attack[] {
  const resource = (stage: PaperStage) => arn(stage, "ec2", `${type}/${id}`);
  const key = action === "ssm:SendCommand" ? "ssm:resourceTag" : "aws:ResourceTag";
  const ours = about(action, resource, ({ name }) => tags(key, name));
  return [
    {
      what: `${action} on another environment's ${type}`,
      attack: about(action, resource, () => tags(key, foreign)),
      ours,
    },
    { what: `${action} on a ${type} that has no tags of ours`, attack: about(action, resource, none), ours },
  ];
}

const parameter = (path: string) => (stage: PaperStage) =>
  arn(stage, "ssm", `parameter/pgherd/${path.replace("{stage}", stage.name)}`);
const ourParameter = parameter(`{stage}/${cluster}/users/admin`);
const foreignParameter = parameter(`${foreign}/${cluster}/users/admin`);
const throughSsm =
  (parameterArn: (stage: PaperStage) => string) =>
  (stage: PaperStage): Circumstances => ({
    "kms:ViaService": `ssm.${stage.region}.amazonaws.com`,
    "kms:EncryptionContext:PARAMETER_ARN": parameterArn(stage),
  });

function ofType(stage: PaperStage, service: string): string {
  const found = [...stage.resources.values()].find(({ attributes }) =>
    attributes["Arn"]?.startsWith(`arn:aws:${service}:`),
  );
  if (found?.attributes["Arn"] === undefined) throw new Error(`the stage has nothing of ${service}`);
  return found.attributes["Arn"];
}
const key = (stage: PaperStage) => ofType(stage, "kms");
const table = (stage: PaperStage) => ofType(stage, "dynamodb");
const bucket = (stage: PaperStage) => ofType(stage, "s3");
const roleNamed = (part: string) => (stage: PaperStage) => {
  const found = [...stage.roles.values()].find(({ name }) => name.includes(part));
  if (found === undefined) throw new Error(`the stage has no role ${part}`);
  return found.arn;
};
const passedTo = (service: string) => (): Circumstances => ({ "iam:PassedToService": service });
const nodeThing = (kind: "role" | "instance-profile", of: string) => (stage: PaperStage) => {
  const environment = of === "ours" ? stage.name : of;
  const path = `/pgherd/${environment}/nodes/pgherd-${environment}-${cluster}`;
  return `arn:aws:iam::${stage.account}:${kind}${path}`;
};
const nodeRole = nodeThing("role", "ours");
const passNodeRole = about("iam:PassRole", nodeRole, passedTo("ec2.amazonaws.com"));
const bounded = (stage: PaperStage) => ({ "iam:PermissionsBoundary": stage.settings.nodeRoles.boundaryArn });
const boundless = ({ account }: PaperStage) => ({
  "iam:PermissionsBoundary": `arn:aws:iam::${account}:policy/everything`,
});
const madeIn = (stage: PaperStage) => tags("aws:RequestTag", stage.name);
const makeRole = about("iam:CreateRole", nodeRole, (stage) => ({ ...madeIn(stage), ...bounded(stage) }));
const putPolicy = about("iam:PutRolePolicy", nodeRole, bounded);
const launchTemplate = (stage: PaperStage) => {
  const found = [...stage.resources.values()].find(({ ref }) => ref.startsWith("lt-"));
  return arn(stage, "ec2", `launch-template/${found?.ref}`);
};
const instance = (stage: PaperStage) => arn(stage, "ec2", "instance/*");
const launched = (template: (stage: PaperStage) => string) => (stage: PaperStage) => ({
  ...tags("aws:RequestTag", stage.name),
  "ec2:LaunchTemplate": template(stage),
});
const readItem = (stage: PaperStage) => plain("dynamodb:GetItem", table(stage));
const readBackup = (stage: PaperStage) => plain("s3:GetObject", `${bucket(stage)}/clusters/${cluster}/0/x`);

const workflow = (stage: PaperStage) => arn(stage, "lambda", `function:pgherd-${stage.name}-create-cluster`);
const removeVersion = (stage: PaperStage) => plain("lambda:DeleteFunction", `${workflow(stage)}:3`);

const attacks: readonly Attack[] = [
  ...machineAttacks("ec2:TerminateInstances", "instance", "i-0123456789abcdef0"),
  ...machineAttacks("ec2:StopInstances", "instance", "i-0123456789abcdef0"),
  ...machineAttacks("ec2:DeleteVolume", "volume", "vol-0123456789abcdef0"),
  ...machineAttacks("ec2:AttachVolume", "volume", "vol-0123456789abcdef0"),
  ...machineAttacks("ec2:AuthorizeSecurityGroupIngress", "security-group", "sg-0123456789abcdef0"),
  ...machineAttacks("ssm:SendCommand", "instance", "i-0123456789abcdef0"),
  {
    what: "a shell by AWS's own document",
    attack: (stage) => plain("ssm:SendCommand", arn(stage, "ssm", "document/AWS-RunShellScript")),
    ours: (stage) => plain("ssm:SendCommand", arn(stage, "ssm", `document/pgherd-${stage.name}-node`)),
  },
  {
    what: "another environment's document",
    attack: (stage) => plain("ssm:SendCommand", arn(stage, "ssm", `document/pgherd-${foreign}-node`)),
    ours: (stage) => plain("ssm:SendCommand", arn(stage, "ssm", `document/pgherd-${stage.name}-node`)),
  },
  {
    what: "reading another environment's parameter",
    attack: (stage) => plain("ssm:GetParameter", foreignParameter(stage)),
    ours: (stage) => plain("ssm:GetParameter", ourParameter(stage)),
  },
  {
    what: "reading a parameter of somebody else",
    attack: (stage) => plain("ssm:GetParameter", arn(stage, "ssm", "parameter/billing/password")),
    ours: (stage) => plain("ssm:GetParameter", ourParameter(stage)),
  },
  {
    what: "decrypting another environment's parameter",
    attack: about("kms:Decrypt", key, throughSsm(foreignParameter)),
    ours: about("kms:Decrypt", key, throughSsm(ourParameter)),
  },
  {
    what: "decrypting by hand",
    attack: about("kms:Decrypt", key, none),
    ours: about("kms:Decrypt", key, throughSsm(ourParameter)),
  },
  {
    what: "passing an administrator's role to an instance",
    attack: about(
      "iam:PassRole",
      ({ account }) => `arn:aws:iam::${account}:role/Administrator`,
      passedTo("ec2.amazonaws.com"),
    ),
    ours: passNodeRole,
  },
  {
    what: "passing a workflow's role to an instance",
    attack: about("iam:PassRole", roleNamed("CreateClusterWorkflow"), passedTo("ec2.amazonaws.com")),
    ours: passNodeRole,
  },
  {
    what: "passing the nodes' role to a function",
    attack: about("iam:PassRole", nodeRole, passedTo("lambda.amazonaws.com")),
    ours: passNodeRole,
  },
  {
    what: "passing the role of another environment's nodes",
    attack: about("iam:PassRole", nodeThing("role", foreign), passedTo("ec2.amazonaws.com")),
    ours: passNodeRole,
  },
  {
    what: "a role of nodes without a boundary",
    attack: about("iam:CreateRole", nodeRole, madeIn),
    ours: makeRole,
  },
  {
    what: "a role of nodes within another boundary",
    attack: about("iam:CreateRole", nodeRole, (stage) => ({ ...madeIn(stage), ...boundless(stage) })),
    ours: makeRole,
  },
  {
    what: "a role beside those of nodes",
    attack: about(
      "iam:CreateRole",
      ({ account }) => `arn:aws:iam::${account}:role/Administrator`,
      (stage) => ({ ...madeIn(stage), ...bounded(stage) }),
    ),
    ours: makeRole,
  },
  {
    what: "another policy for a role that has no boundary",
    attack: about("iam:PutRolePolicy", nodeRole, none),
    ours: putPolicy,
  },
  {
    what: "another policy for the role of a function",
    attack: about("iam:PutRolePolicy", roleNamed("CreateClusterWorkflow"), none),
    ours: putPolicy,
  },
  {
    what: "a role without its boundary",
    attack: about("iam:DeleteRolePermissionsBoundary", nodeRole, bounded),
    ours: putPolicy,
  },
  {
    what: "AWS's own policy for a role of nodes",
    attack: about("iam:AttachRolePolicy", nodeRole, bounded),
    ours: putPolicy,
  },
  {
    what: "another boundary for all nodes",
    attack: (stage) => plain("iam:CreatePolicyVersion", stage.settings.nodeRoles.boundaryArn),
    ours: putPolicy,
  },
  {
    what: "taking a role of nodes on",
    attack: (stage) => plain("iam:UpdateAssumeRolePolicy", nodeRole(stage)),
    ours: putPolicy,
  },
  {
    what: "removing the role of another environment's nodes",
    attack: (stage) => plain("iam:DeleteRole", nodeThing("role", foreign)(stage)),
    ours: (stage) => plain("iam:DeleteRole", nodeRole(stage)),
  },
  {
    what: "removing the role of a function",
    attack: (stage) => plain("iam:DeleteRole", roleNamed("CreateClusterWorkflow")(stage)),
    ours: (stage) => plain("iam:DeleteRole", nodeRole(stage)),
  },
  {
    what: "a role for somebody else's instances",
    attack: ({ account }) =>
      plain("iam:AddRoleToInstanceProfile", `arn:aws:iam::${account}:instance-profile/web`),
    ours: (stage) => plain("iam:AddRoleToInstanceProfile", nodeThing("instance-profile", "ours")(stage)),
  },
  {
    what: "an instance from another launch template",
    attack: about(
      "ec2:RunInstances",
      instance,
      launched((stage) => arn(stage, "ec2", "launch-template/lt-0123456789abcdef0")),
    ),
    ours: about("ec2:RunInstances", instance, launched(launchTemplate)),
  },
  {
    what: "an instance with another environment's tags",
    attack: about("ec2:RunInstances", instance, (stage) => ({
      ...launched(launchTemplate)(stage),
      ...tags("aws:RequestTag", foreign),
    })),
    ours: about("ec2:RunInstances", instance, launched(launchTemplate)),
  },
  {
    what: "deleting the table",
    attack: (stage) => plain("dynamodb:DeleteTable", table(stage)),
    ours: readItem,
  },
  {
    what: "reading the whole table",
    attack: (stage) => plain("dynamodb:Scan", table(stage)),
    ours: readItem,
  },
  {
    what: "reading another environment's table",
    attack: (stage) => plain("dynamodb:GetItem", arn(stage, "dynamodb", `table/pgherd-${foreign}-table`)),
    ours: readItem,
  },
  {
    what: "reading another environment's backups",
    attack: () => plain("s3:GetObject", `arn:aws:s3:::pgherd-${foreign}-backups/clusters/${cluster}/0/x`),
    ours: readBackup,
  },
  {
    what: "reading what is in the bucket beside clusters",
    attack: (stage) => plain("s3:GetObject", `${bucket(stage)}/somebody/else`),
    ours: readBackup,
  },
  {
    what: "removing a version of a backup for good",
    attack: (stage) => plain("s3:DeleteObjectVersion", `${bucket(stage)}/clusters/${cluster}/0/x`),
    ours: readBackup,
  },
  {
    what: "deleting the bucket",
    attack: (stage) => plain("s3:DeleteBucket", bucket(stage)),
    ours: readBackup,
  },
  {
    what: "opening the bucket to others",
    attack: (stage) => plain("s3:PutBucketPolicy", bucket(stage)),
    ours: readBackup,
  },
  {
    what: "letting the key be deleted",
    attack: (stage) => plain("kms:ScheduleKeyDeletion", key(stage)),
    ours: about("kms:Decrypt", key, throughSsm(ourParameter)),
  },
  {
    what: "a function of somebody else",
    attack: (stage) => plain("lambda:InvokeFunction", arn(stage, "lambda", "function:billing")),
    ours: (stage) =>
      plain(
        "lambda:InvokeFunction",
        arn(stage, "lambda", `function:pgherd-${stage.name}-create-cluster:live`),
      ),
  },
  {
    what: "other code for a function",
    attack: (stage) =>
      plain(
        "lambda:UpdateFunctionCode",
        arn(stage, "lambda", `function:pgherd-${stage.name}-create-cluster`),
      ),
    ours: (stage) =>
      plain(
        "lambda:InvokeFunction",
        arn(stage, "lambda", `function:pgherd-${stage.name}-create-cluster:live`),
      ),
  },
  {
    what: "deleting a workflow with all of its versions",
    attack: (stage) => plain("lambda:DeleteFunction", workflow(stage)),
    ours: removeVersion,
  },
  {
    what: "deleting the API",
    attack: (stage) =>
      plain("lambda:DeleteFunction", arn(stage, "lambda", `function:pgherd-${stage.name}-api`)),
    ours: removeVersion,
  },
  {
    what: "deleting a version of another environment's workflow",
    attack: (stage) =>
      plain("lambda:DeleteFunction", arn(stage, "lambda", `function:pgherd-${foreign}-create-cluster:3`)),
    ours: removeVersion,
  },
  {
    what: "leading calls of a workflow to another version",
    attack: (stage) => plain("lambda:UpdateAlias", workflow(stage)),
    ours: removeVersion,
  },
  {
    what: "a schedule of another environment",
    attack: (stage) =>
      plain(
        "scheduler:DeleteSchedule",
        arn(stage, "scheduler", `schedule/pgherd-${foreign}-clusters/${cluster}-full`),
      ),
    ours: (stage) =>
      plain(
        "scheduler:DeleteSchedule",
        arn(stage, "scheduler", `schedule/pgherd-${stage.name}-clusters/${cluster}-full`),
      ),
  },
];

function stageOf(name: StageName): PaperStage {
  const stage = stages.get(name);
  if (stage === undefined) throw new Error(`the stage ${name} is not synthesized`);
  return stage;
}

/** The roles that may, of functions and of a cluster's nodes. */
async function allowed(stage: PaperStage, question: Question): Promise<string[]> {
  const names: string[] = [];
  const ofNodes = nodeRoleOn(stage, { clusterId: cluster, store: null, source: null });
  for (const role of [...stage.roles.values(), ofNodes]) {
    if ((await answerOf(stage, role, question)) === "Allowed") names.push(role.name);
  }
  return names;
}

describe.each(stageNames)("no role of the stage %s may do it:", (name) => {
  test.each(attacks)("$what", async ({ attack, ours }) => {
    const stage = stageOf(name);
    expect(stage.roles.size).toBeGreaterThan(30);
    expect(await allowed(stage, attack(stage))).toEqual([]);
    expect(await allowed(stage, ours(stage))).not.toEqual([]);
  });
});
