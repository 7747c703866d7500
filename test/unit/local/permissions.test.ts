import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { GetParameterCommand, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SsmService } from "../../../local/endpoints/ssm/service.ts";
import { watchDynamoDb } from "../../../local/lambda/runtime/dynamodb-calls.ts";
import type { TableUse } from "../../../local/lambda/runtime/messages.ts";
import { openPermissions } from "../../../local/permissions/open.ts";
import { questionsOf } from "../../../local/permissions/questions.ts";
import { PermissionRecord, parseRecord } from "../../../local/permissions/record.ts";
import type { PermissionUse, Surroundings } from "../../../local/permissions/use.ts";
import { Documents } from "../../../local/state/documents.ts";
import { account, region, startEndpoints } from "./support/endpoints.ts";
import { PaperDriver } from "./support/paper-driver.ts";

const keyArn = `arn:aws:kms:${region}:${account}:key/1`;
const clusterId = "clu_01JD0000000000000000000000";
const nodeTags = { "pgherd:environment": "local", "pgherd:cluster": clusterId };

const nodeRole = `arn:aws:iam::${account}:role/nodes/node`;
const nodeProfile = `arn:aws:iam::${account}:instance-profile/nodes/node`;
const boundary = `arn:aws:iam::${account}:policy/nodes/boundary`;

const surroundings: Surroundings = {
  region,
  account,
  keyOfParameter: () => keyArn,
  iam: {
    roleArn: (role) => (role === "node" ? nodeRole : null),
    profileArn: (profile) => (profile === "node" ? nodeProfile : null),
    boundaryOf: (role) => (role === "node" ? boundary : null),
  },
  keyOfBucket: (bucket) => (bucket === "backups" ? keyArn : null),
  ec2: {
    tagsOf: (id) => (/^(i|vol|eni|sg)-/.test(id) ? nodeTags : {}),
    interfaceOf: () => ({ subnetId: "subnet-01", groupIds: ["sg-01"] }),
    keyOfVolume: () => keyArn,
    keysOfInstance: () => [keyArn],
    templateOf: () => ({
      id: "lt-01",
      imageId: "ami-01",
      profile: "node-profile",
      tags: { volume: { "pgherd:environment": "local" } },
      volumes: [{ encrypted: true, keyArn }],
    }),
    roleOfProfile: (profile) => `arn:aws:iam::${account}:role/${profile}`,
  },
};

const ask = (service: string, action: string, input: unknown, errorCode: string | null = null) =>
  questionsOf(
    { service, action, input, errorCode, caller: { accessKeyId: "", arn: "", roleName: "role" } },
    surroundings,
  ).map((question) => [
    question.action,
    question.resource.replace(/^arn:aws:[a-z0-9-]+:[^:]*:\d*:/, ""),
    question.circumstances,
  ]);

const resourceTags = {
  "aws:ResourceTag/pgherd:environment": "local",
  "aws:ResourceTag/pgherd:cluster": clusterId,
};
const viaEc2 = { "kms:ViaService": `ec2.${region}.amazonaws.com` };

describe("IAM is asked", () => {
  test("about a thing with the tags that it has", () => {
    expect(ask("ec2", "TerminateInstances", { InstanceId: ["i-01"] })).toEqual([
      ["ec2:TerminateInstances", "instance/i-01", resourceTags],
    ]);
  });

  test("about every thing that a launch makes or uses, with how it came about", () => {
    const through = { "ec2:LaunchTemplate": `arn:aws:ec2:${region}:${account}:launch-template/lt-01` };
    const questions = ask("ec2", "RunInstances", {
      LaunchTemplate: { LaunchTemplateId: "lt-01" },
      NetworkInterface: [{ NetworkInterfaceId: "eni-01" }],
      TagSpecification: [{ ResourceType: "instance", Tag: [{ Key: "pgherd:environment", Value: "local" }] }],
    });
    const requested = { "aws:RequestTag/pgherd:environment": "local" };
    expect(questions).toEqual([
      ["ec2:RunInstances", "instance/*", { ...requested, ...through }],
      ["ec2:CreateTags", "instance/*", { ...requested, "ec2:CreateAction": "RunInstances" }],
      ["ec2:RunInstances", "volume/*", { ...requested, ...through, "ec2:Encrypted": "true" }],
      ["ec2:CreateTags", "volume/*", { ...requested, "ec2:CreateAction": "RunInstances" }],
      ["kms:DescribeKey", "key/1", viaEc2],
      ["kms:GenerateDataKeyWithoutPlaintext", "key/1", viaEc2],
      ["kms:CreateGrant", "key/1", { ...viaEc2, "kms:GrantIsForAWSResource": "true" }],
      ["kms:Decrypt", "key/1", viaEc2],
      ["ec2:RunInstances", "network-interface/eni-01", { ...resourceTags, ...through }],
      ["ec2:RunInstances", "security-group/sg-01", { ...resourceTags, ...through }],
      ["ec2:RunInstances", "subnet/subnet-01", through],
      ["ec2:RunInstances", "image/ami-01", { ...through, "ec2:IsLaunchTemplateResource": "true" }],
      ["ec2:RunInstances", "launch-template/lt-01", {}],
      ["iam:PassRole", "role/node-profile", { "iam:PassedToService": "ec2.amazonaws.com" }],
    ]);
  });

  test("about a role of nodes by its path, its tags and its boundary, and about passing it on", () => {
    const made = { Path: "/nodes/", Tags: { member: [{ Key: "pgherd:environment", Value: "local" }] } };
    const tags = { "aws:RequestTag/pgherd:environment": "local" };
    const bounded = { "iam:PermissionsBoundary": boundary };
    expect(ask("iam", "CreateRole", { ...made, RoleName: "new", PermissionsBoundary: boundary })).toEqual([
      ["iam:CreateRole", "role/nodes/new", { ...tags, ...bounded }],
      ["iam:TagRole", "role/nodes/new", tags],
    ]);
    expect(ask("iam", "CreateInstanceProfile", { ...made, InstanceProfileName: "new" })).toEqual([
      ["iam:CreateInstanceProfile", "instance-profile/nodes/new", tags],
      ["iam:TagInstanceProfile", "instance-profile/nodes/new", tags],
    ]);
    expect(ask("iam", "PutRolePolicy", { RoleName: "node" })).toEqual([
      ["iam:PutRolePolicy", "role/nodes/node", bounded],
    ]);
    const joined = { InstanceProfileName: "node", RoleName: "node" };
    expect(ask("iam", "AddRoleToInstanceProfile", joined)).toEqual([
      ["iam:AddRoleToInstanceProfile", "instance-profile/nodes/node", {}],
      ["iam:PassRole", "role/nodes/node", { "iam:PassedToService": "ec2.amazonaws.com" }],
    ]);
    // What is not there has no path.
    expect(ask("iam", "DeleteRole", { RoleName: "gone" })).toEqual([["iam:DeleteRole", "role/gone", {}]]);
  });

  test("about document and instance of a command", () => {
    const input = { DocumentName: "node", InstanceIds: ["i-01"] };
    const tags = {
      "ssm:resourceTag/pgherd:environment": "local",
      "ssm:resourceTag/pgherd:cluster": clusterId,
    };
    expect(ask("ssm", "SendCommand", input)).toEqual([
      ["ssm:SendCommand", "document/node", {}],
      ["ssm:SendCommand", "instance/i-01", { ...resourceTags, ...tags }],
    ]);
  });

  test("about a secret and the key that opens it", () => {
    const context = {
      "kms:ViaService": `ssm.${region}.amazonaws.com`,
      "kms:EncryptionContext:PARAMETER_ARN": `arn:aws:ssm:${region}:${account}:parameter/a/b`,
    };
    expect(ask("ssm", "GetParameter", { Name: "/a/b", WithDecryption: true })).toEqual([
      ["ssm:GetParameter", "parameter/a/b", {}],
      ["kms:Decrypt", "key/1", context],
    ]);
    expect(ask("ssm", "GetParametersByPath", { Path: "/a" })).toEqual([
      ["ssm:GetParametersByPath", "parameter/a", {}],
    ]);
  });

  test("about an object by the names that IAM has for S3's calls, its key, and the list that says it is not there", () => {
    const context = {
      "kms:ViaService": `s3.${region}.amazonaws.com`,
      "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::backups",
    };
    expect(ask("s3", "UploadPart", { Bucket: "backups", Key: "a/b" })).toEqual([
      ["s3:PutObject", "backups/a/b", {}],
      ["kms:GenerateDataKey", "key/1", context],
      ["kms:Decrypt", "key/1", context],
    ]);
    expect(ask("s3", "HeadObject", { Bucket: "assets", Key: "a" }, "NoSuchKey")).toEqual([
      ["s3:GetObject", "assets/a", {}],
      ["s3:ListBucket", "assets", {}],
    ]);
    expect(ask("s3", "ListObjectsV2", { Bucket: "assets", Key: null, Prefix: "a/" })).toEqual([
      ["s3:ListBucket", "assets", { "s3:prefix": "a/" }],
    ]);
    expect(ask("s3", "DeleteObjects", { Bucket: "assets", Keys: ["a", "b"] })).toEqual([
      ["s3:DeleteObject", "assets/a", {}],
      ["s3:DeleteObject", "assets/b", {}],
    ]);
  });

  test("about a schedule and the role that it gets", () => {
    const input = { GroupName: "clusters", Name: "one", Target: { RoleArn: "arn:aws:iam::1:role/r" } };
    expect(ask("scheduler", "CreateSchedule", input)).toEqual([
      ["scheduler:CreateSchedule", "schedule/clusters/one", {}],
      ["iam:PassRole", "role/r", { "iam:PassedToService": "scheduler.amazonaws.com" }],
    ]);
  });

  test("about a function by the version or alias that is called, and about an execution by its own ARN", () => {
    const execution = `arn:aws:lambda:${region}:${account}:function:f:1/durable-execution/e/1`;
    expect(ask("lambda", "Invoke", { FunctionName: "f:live" })).toEqual([
      ["lambda:InvokeFunction", "function:f:live", {}],
    ]);
    expect(ask("lambda", "DeleteFunction", { FunctionName: "f", Qualifier: "3" })).toEqual([
      ["lambda:DeleteFunction", "function:f:3", {}],
    ]);
    expect(ask("lambda", "CheckpointDurableExecution", { DurableExecutionArn: execution })).toEqual([
      ["lambda:CheckpointDurableExecution", "function:f:1/durable-execution/e/1", {}],
    ]);
  });

  test("about everything where nothing here knows the call, so that it shows", () => {
    expect(ask("sqs", "SendMessage", {})).toEqual([["sqs:SendMessage", "*", {}]]);
    expect(ask("sts", "GetCallerIdentity", {})).toEqual([]);
  });
});

describe("the record", () => {
  let directory: string;
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "pgherd-permissions-"));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
    expect(errors).toEqual([]);
  });

  const use = (resource: string, circumstances: Record<string, string> = {}): PermissionUse => ({
    ...{ role: "role", action: "ssm:GetParameter", resource, circumstances },
  });

  test("has the first of each kind, also over a restart and a line that broke off", async () => {
    const file = join(directory, "kinds.jsonl");
    const first = await PermissionRecord.open(file, onError);
    first.note(use("parameter/clu_01JD0000000000000000000000/users/admin"));
    first.note(use("parameter/clu_01JD0000000000000000000001/users/admin"));
    first.note(use("parameter/clu_01JD0000000000000000000000/users/client"));
    await first.flush();
    const whole = await readFile(file, "utf8");
    expect(parseRecord(whole).map((line) => line.kind === "use" && line.resource)).toEqual([
      "parameter/clu_01JD0000000000000000000000/users/admin",
      "parameter/clu_01JD0000000000000000000000/users/client",
    ]);
    await writeFile(file, `${whole}{"kind":"us`);
    const second = await PermissionRecord.open(file, onError);
    second.note(use("parameter/clu_01JD0000000000000000000002/users/admin"));
    await second.flush();
    expect(await readFile(file, "utf8")).toBe(whole);
    second.note(
      use("parameter/clu_01JD0000000000000000000002/users/admin", { "aws:ResourceTag/a": "other" }),
    );
    await second.flush();
    expect(parseRecord(await readFile(file, "utf8"))).toHaveLength(3);
  });

  test("takes nodes of all clusters for one, and what they do to their own cluster for another kind than the rest", async () => {
    const file = join(directory, "nodes.jsonl");
    const record = await PermissionRecord.open(file, onError);
    const [one, two] = ["clu_01JD0000000000000000000000", "clu_01JD0000000000000000000001"];
    const read = (node: string, of: string) =>
      record.note({ ...use(`parameter/${of}/users/admin`), role: `pgherd-local-${node}` });
    read(one, one);
    read(two, two);
    read(two, one);
    read(one, two);
    await record.flush();
    const lines = parseRecord(await readFile(file, "utf8"));
    expect(lines.map((line) => line.kind === "use" && [line.role, line.resource])).toEqual([
      [`pgherd-local-${one}`, `parameter/${one}/users/admin`],
      [`pgherd-local-${two}`, `parameter/${one}/users/admin`],
    ]);
  });

  test("ends with a note of it when there are more kinds than it has room for", async () => {
    const file = join(directory, "full.jsonl");
    const record = await PermissionRecord.open(file, onError);
    const words = Array.from({ length: 10_100 }, (_, index) =>
      [...String(index)].map((digit) => "abcdefghij"[Number(digit)]).join(""),
    );
    for (const word of words) record.note(use(`parameter/${word}`));
    await record.flush();
    const lines = parseRecord(await readFile(file, "utf8"));
    expect(lines.at(-1)).toEqual({ kind: "full" });
    expect(lines).toHaveLength(10_001);
  });
});

test("an environment records what its roles call through the endpoints, and neither values nor the operator", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pgherd-permissions-"));
  const file = join(directory, "permissions.jsonl");
  const documents = new Documents(":memory:");
  const driver = new PaperDriver();
  const inventory = { listMachines: () => [] };
  const machineEnvironment = { endpointUrl: "", region, serviceEndpointUrls: {} };
  const vaultKey = Buffer.alloc(32, 1);
  const ssm = new SsmService({ documents, driver, inventory, vaultKey, region, account, machineEnvironment });
  const onError = vi.fn();
  const permissions = await openPermissions({ file, region, account, documents, onError });
  const endpoints = await startEndpoints([ssm], undefined, permissions.onCall);
  permissions.deployed({ resources: {}, keyOfBucket: () => null });
  const role = new SSMClient(endpoints.as("maker"));
  const operator = new SSMClient(endpoints.operator);
  await role.send(
    new PutParameterCommand({ Name: "/a/b", Value: "very-secret", Type: "SecureString", KeyId: keyArn }),
  );
  await role.send(new GetParameterCommand({ Name: "/a/b", WithDecryption: true }));
  await operator.send(new GetParameterCommand({ Name: "/a/b" }));
  await permissions.close();
  const text = await readFile(file, "utf8");
  expect(text).not.toContain("very-secret");
  const uses = parseRecord(text).filter((line) => line.kind === "use");
  expect(uses.map(({ role: name, action }) => [name, action])).toEqual([
    ["maker", "ssm:PutParameter"],
    ["maker", "kms:Encrypt"],
    ["maker", "ssm:GetParameter"],
    ["maker", "kms:Decrypt"],
  ]);
  expect(onError).not.toHaveBeenCalled();
  role.destroy();
  operator.destroy();
  await endpoints.close();
  documents.close();
  await rm(directory, { recursive: true });
});

test("a function's process tells once how it uses tables, and nothing of what is in them", async () => {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200).end("{}"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const uses: TableUse[] = [];
  watchDynamoDb((use) => uses.push(use));
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${port}`,
    region,
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
  });
  const Key = { pk: { S: "very-secret" } };
  for (let time = 0; time < 2; time++) await client.send(new GetItemCommand({ TableName: "t", Key }));
  await client.send(
    new QueryCommand({ TableName: "t", IndexName: "gsi1", KeyConditionExpression: "pk = very-secret" }),
  );
  await client.send(
    new TransactWriteItemsCommand({
      TransactItems: [
        { Put: { TableName: "t", Item: Key } },
        { ConditionCheck: { TableName: "t", Key, ConditionExpression: "attribute_exists(pk)" } },
      ],
    }),
  );
  expect(uses).toEqual([
    { action: "GetItem", table: "t", index: null },
    { action: "Query", table: "t", index: "gsi1" },
    { action: "PutItem", table: "t", index: null },
    { action: "ConditionCheckItem", table: "t", index: null },
  ]);
  client.destroy();
  server.close();
});
