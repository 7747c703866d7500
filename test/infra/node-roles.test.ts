import { beforeAll, describe, expect, test } from "vitest";
import type { StageName } from "../../infra/config/index.ts";
import { type NodeRights, nodePolicy } from "../../layers/domain/cluster/node-role.ts";
import { allows, readPolicy } from "../../local/endpoints/iam/policy.ts";
import { plain, type Question } from "../../local/permissions/use.ts";
import { deployOnPaper, nodeRoleOn, type PaperStage } from "./support/paper-stage.ts";
import { answerOf } from "./support/simulate.ts";
import { synthesizeAll } from "./support/synthesized.ts";

const stageNames: readonly StageName[] = ["local", "prod"];
const own = "clu_01JD0000000000000000000000";
const other = "clu_01JD0000000000000000000001";
const alone: NodeRights = { clusterId: own, store: null, source: null };

let stages: ReadonlyMap<StageName, PaperStage>;
beforeAll(async () => {
  const stacks = await synthesizeAll();
  stages = new Map(stageNames.map((name) => [name, deployOnPaper(stacks, name)]));
});

function stageOf(name: StageName): PaperStage {
  const stage = stages.get(name);
  if (stage === undefined) throw new Error(`the stage ${name} is not synthesized`);
  return stage;
}

const store = (name: StageName, of: string) => ({
  endpoint: "minio.example.com",
  bucket: "backups",
  region: "us-east-1",
  pathStyle: true,
  credentialsParameter: `/pgherd/${name}/stores/${of}`,
});

const parameter = ({ account, name, region }: PaperStage, below: string): string =>
  `arn:aws:ssm:${region}:${account}:parameter/pgherd/${name}/${below}`;
const bucket = ({ settings }: PaperStage): string => `arn:aws:s3:::${settings.backups.bucket}`;

/** As Parameter Store asks for a secret: for the parameter, and for the key in the name of the parameter. */
function readSecret(stage: PaperStage, below: string): Question[] {
  const resource = parameter(stage, below);
  return [plain("ssm:GetParameters", resource), decrypt(stage, resource)];
}

function decrypt({ region, settings }: PaperStage, parameterArn: string): Question {
  const circumstances = {
    "kms:ViaService": `ssm.${region}.amazonaws.com`,
    "kms:EncryptionContext:PARAMETER_ARN": parameterArn,
  };
  return { action: "kms:Decrypt", resource: settings.keyId, circumstances };
}

const object = (stage: PaperStage, action: string, of: string): Question =>
  plain(`s3:${action}`, `${bucket(stage)}/clusters/${of}/0/archive/main/archive.info`);
const list = (stage: PaperStage, prefix: string): Question => ({
  ...plain("s3:ListBucket", bucket(stage)),
  circumstances: { "s3:prefix": prefix },
});
const useBucketKey = (stage: PaperStage, of: string): Question => ({
  action: "kms:Decrypt",
  resource: stage.settings.keyId,
  circumstances: {
    "kms:ViaService": `s3.${stage.region}.amazonaws.com`,
    "kms:EncryptionContext:aws:s3:arn": of,
  },
});
const changing = ["PutObject", "DeleteObject", "AbortMultipartUpload"] as const;

const ownQuestions = (stage: PaperStage): Question[] => [
  ...readSecret(stage, `${own}/users/admin`),
  ...readSecret(stage, `${own}/backup/cipher-pass`),
  ...["GetObject", ...changing].map((action) => object(stage, action, own)),
  list(stage, `clusters/${own}/0/archive/main/`),
  useBucketKey(stage, bucket(stage)),
  plain(
    "s3:GetObject",
    `arn:aws:s3:::${stage.settings.nodeProgram.bucket}/${stage.settings.nodeProgram.key}`,
  ),
  plain("ssm:UpdateInstanceInformation", `arn:aws:ec2:${stage.region}:${stage.account}:instance/i-01`),
];

const foreignQuestions = (stage: PaperStage): Question[] => [
  ...readSecret(stage, `${other}/users/admin`),
  ...readSecret(stage, `${other}/backup/cipher-pass`),
  // A key context that lies about an own parameter opens nothing of another's, which has its own name in it.
  decrypt(stage, parameter(stage, `${other}/authority/key`)),
  ...["GetObject", ...changing].map((action) => object(stage, action, other)),
  list(stage, `clusters/${other}/0/archive/main/`),
  list(stage, "clusters/"),
  list(stage, ""),
  ...readSecret(stage, "stores/minio"),
  plain("s3:GetObject", `arn:aws:s3:::${stage.settings.nodeProgram.bucket}/pgherd/elsewhere/a.cjs`),
  useBucketKey(stage, "arn:aws:s3:::somebody-elses"),
];

/** What no node may do, and neither could it if its policy said so. */
const beyondNodes = (stage: PaperStage): Question[] => [
  ...readSecret(stage, `${own}/authority/key`),
  plain("ssm:GetParameter", `arn:aws:ssm:${stage.region}:${stage.account}:parameter/billing/password`),
  plain("ssm:PutParameter", parameter(stage, `${own}/users/admin`)),
  plain("ssm:SendCommand", `arn:aws:ssm:${stage.region}:${stage.account}:document/pgherd-${stage.name}-node`),
  plain("ssmmessages:CreateDataChannel", "*"),
  plain("s3:DeleteObjectVersion", `${bucket(stage)}/clusters/${own}/0/x`),
  plain("s3:GetObject", `${bucket(stage)}/somebody/else`),
  plain("s3:PutBucketPolicy", bucket(stage)),
  plain("kms:Decrypt", stage.settings.keyId),
  plain("kms:ScheduleKeyDeletion", stage.settings.keyId),
  plain("iam:CreateUser", `arn:aws:iam::${stage.account}:user/attacker`),
  plain("iam:PutRolePolicy", nodeRoleOn(stage, alone).arn),
  plain("iam:DeleteRolePermissionsBoundary", nodeRoleOn(stage, alone).arn),
  plain("sts:AssumeRole", `arn:aws:iam::${stage.account}:role/Administrator`),
  plain("ec2:TerminateInstances", `arn:aws:ec2:${stage.region}:${stage.account}:instance/i-01`),
  plain("dynamodb:GetItem", `arn:aws:dynamodb:${stage.region}:${stage.account}:table/pgherd`),
  plain("lambda:InvokeFunction", `arn:aws:lambda:${stage.region}:${stage.account}:function:pgherd`),
];

interface Asked {
  readonly rights?: NodeRights;
  /** In place of the one that follows from the rights. */
  readonly policy?: unknown;
}

/** Those of the questions that are answered with yes. */
async function allowed(stage: PaperStage, questions: readonly Question[], asked: Asked = {}) {
  const role = nodeRoleOn(stage, asked.rights ?? alone, asked.policy);
  const answers: Question[] = [];
  for (const question of questions) {
    if ((await answerOf(stage, role, question)) === "Allowed") answers.push(question);
  }
  return answers;
}

const anything = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }],
};

describe.each(stageNames)("the nodes of a cluster in the stage %s", (name) => {
  test("may use everything of their own", async () => {
    const stage = stageOf(name);
    expect(await allowed(stage, ownQuestions(stage))).toEqual(ownQuestions(stage));
  });

  test("get nothing of another cluster: no secret, no backup, no key, no name", async () => {
    const stage = stageOf(name);
    expect(await allowed(stage, foreignQuestions(stage))).toEqual([]);
  });

  test("read the backups of the cluster that is restored into them, change none, and have no password of it", async () => {
    const stage = stageOf(name);
    const rights = { ...alone, source: { clusterId: other, store: null } };
    const reading = [
      ...readSecret(stage, `${other}/backup/cipher-pass`),
      object(stage, "GetObject", other),
      list(stage, `clusters/${other}/0/archive/main/`),
    ];
    expect(await allowed(stage, reading, { rights })).toEqual(reading);
    const more = [
      ...changing.map((action) => object(stage, action, other)),
      ...readSecret(stage, `${other}/users/admin`),
    ];
    expect(await allowed(stage, more, { rights })).toEqual([]);
  });

  test("read the keys of their own store and of their source's, and of no other one", async () => {
    const stage = stageOf(name);
    const source = { clusterId: other, store: store(name, "theirs") };
    const rights = { ...alone, store: store(name, "ours"), source };
    const keys = [...readSecret(stage, "stores/ours"), ...readSecret(stage, "stores/theirs")];
    expect(await allowed(stage, keys, { rights })).toEqual(keys);
    const more = [...readSecret(stage, "stores/minio"), object(stage, "GetObject", other)];
    expect(await allowed(stage, more, { rights })).toEqual([]);
  });

  test("get no further than their boundary, whatever somebody writes into their policy", async () => {
    const stage = stageOf(name);
    expect(await allowed(stage, beyondNodes(stage))).toEqual([]);
    expect(await allowed(stage, beyondNodes(stage), { policy: anything })).toEqual([]);
    expect(await allowed(stage, ownQuestions(stage), { policy: anything })).toEqual(ownQuestions(stage));
  });

  test("are held to the same on one machine as by a simulator of IAM that others wrote", async () => {
    const stage = stageOf(name);
    const questions = [...ownQuestions(stage), ...foreignQuestions(stage), ...beyondNodes(stage)];
    const { region, settings } = stage;
    const policy = readPolicy(JSON.stringify(nodePolicy({ ...settings, region }, alone)));
    const here = questions.filter((question) => allows(policy, question));
    expect(here).toEqual(await allowed(stage, questions));
  });
});
