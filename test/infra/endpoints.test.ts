import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { plain, type Question } from "../../local/permissions/use.ts";
import { deployOnPaper, type PaperRole, type PaperStage } from "./support/paper-stage.ts";
import { answerOf } from "./support/simulate.ts";
import { synthesizeAll } from "./support/synthesized.ts";

const cluster = "clu_01JD0000000000000000000000";

const policySchema = z.object({ Statement: z.array(z.object({ Condition: z.unknown() })) });

let stage: PaperStage;
beforeAll(async () => {
  stage = deployOnPaper(await synthesizeAll(), "prod");
});

/** Somebody on a node whose rights have no end: what stops him is the endpoint. */
function everything(): PaperRole {
  const policy = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }],
  };
  return {
    name: "everything",
    arn: `arn:aws:iam::${stage.account}:role/everything`,
    policies: [{ name: "everything", policy }],
    boundary: null,
    isOfNodes: true,
  };
}

const arn = (service: string, resource: string): string =>
  `arn:aws:${service}:${stage.region}:${stage.account}:${resource}`;

function only(service: string): string {
  const found = [...stage.resources.values()].flatMap(({ attributes }) => attributes["Arn"] ?? []);
  const [own] = found.filter((candidate) => candidate.startsWith(`arn:aws:${service}:`));
  if (own === undefined) throw new Error(`the stage has nothing of ${service}`);
  return own;
}
const inBucket = (key: string): string => `${only("s3")}/${key}`;
const program = (environment: string): string =>
  `arn:aws:s3:::cdk-hnb659fds-assets-${stage.account}-${stage.region}/pgherd/${environment}/0a.cjs`;

const answer = (question: Question): Promise<string> => answerOf(stage, everything(), question);

describe("an endpoint lets through", () => {
  const passing: readonly (readonly [string, () => Question])[] = [
    ["a node's program", () => plain("s3:GetObject", program("prod"))],
    ["a backup", () => plain("s3:PutObject", inBucket(`clusters/${cluster}/0/x`))],
    ["a list of backups", () => plain("s3:ListBucket", only("s3"))],
    [
      "a password",
      () => plain("ssm:GetParameters", arn("ssm", `parameter/pgherd/prod/${cluster}/users/admin`)),
    ],
    ["a store's key", () => plain("ssm:GetParameters", arn("ssm", "parameter/pgherd/prod/stores/minio"))],
    [
      "the agent's word that it is there",
      () => plain("ssm:UpdateInstanceInformation", arn("ec2", "instance/i-0a")),
    ],
    ["the agent's way to its commands", () => plain("ssmmessages:OpenControlChannel", "*")],
    ["the use of the environment's key", () => plain("kms:Decrypt", only("kms"))],
  ];

  test.each(passing)("%s", async (_what, question) => {
    expect(await answer(question())).toBe("Allowed");
  });

  test("nothing for keys of another account", () => {
    const statements = [...stage.endpointPolicies.values()].flatMap(
      ({ policy }) => policySchema.parse(policy).Statement,
    );
    expect(statements.length).toBeGreaterThan(5);
    for (const { Condition } of statements) {
      expect(Condition).toEqual({ StringEquals: { "aws:PrincipalAccount": stage.account } });
    }
  });
});

describe("an endpoint stops whoever has every right:", () => {
  const stopped: readonly (readonly [string, () => Question])[] = [
    ["writing to a bucket of somebody else", () => plain("s3:PutObject", "arn:aws:s3:::elsewhere/x")],
    ["reading another environment's program", () => plain("s3:GetObject", program("elsewhere"))],
    ["overwriting a node's program", () => plain("s3:PutObject", program("prod"))],
    ["opening the bucket to others", () => plain("s3:PutBucketPolicy", only("s3"))],
    [
      "reading another environment's password",
      () => plain("ssm:GetParameters", arn("ssm", `parameter/pgherd/elsewhere/${cluster}/users/admin`)),
    ],
    ["sending commands", () => plain("ssm:SendCommand", arn("ssm", "document/AWS-RunShellScript"))],
    ["a shell", () => plain("ssmmessages:OpenDataChannel", "*")],
    ["the use of another key", () => plain("kms:Decrypt", arn("kms", "key/0a"))],
    ["letting the key be deleted", () => plain("kms:ScheduleKeyDeletion", only("kms"))],
  ];

  test.each(stopped)("%s", async (_what, question) => {
    expect(await answer(question())).toBe("ImplicitlyDenied");
  });

  test("what nothing leads to is out of reach", async () => {
    expect(await answer(plain("dynamodb:GetItem", only("dynamodb")))).toBe("Unreachable");
  });
});
