import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { DescribeInstancesCommand, EC2Client, RunInstancesCommand } from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeForm } from "../../../local/endpoints/query-protocol.ts";
import { type Service, ServiceError } from "../../../local/endpoints/service.ts";
import { account, startEndpoints } from "./support/endpoints.ts";

const hasAwsCommand = spawnSync("aws", ["--version"]).status === 0;
const calls: { action: string; input: unknown; arn: string }[] = [];
const ec2Service: Service = {
  name: "ec2",
  call: async (action, input, caller) => {
    calls.push({ action, input, arn: caller.arn });
    if (action === "RunInstances") {
      throw new ServiceError("InsufficientInstanceCapacity", "no room in <local-1a> & others", 500);
    }
    return {
      reservationSet: [
        {
          reservationId: "r-1",
          instancesSet: [{ instanceId: "i-1", instanceState: { code: 16, name: "running" } }],
        },
      ],
    };
  },
};

let endpoints: Awaited<ReturnType<typeof startEndpoints>>;
let ec2: EC2Client;

beforeEach(async () => {
  calls.length = 0;
  endpoints = await startEndpoints([ec2Service]);
  ec2 = new EC2Client({ ...endpoints.as("create-cluster"), maxAttempts: 1 });
});
afterEach(async () => {
  ec2.destroy();
  await endpoints.close();
});

const describeAll = () => ec2.send(new DescribeInstancesCommand({}));

describe("the Query protocol", () => {
  test("numbered members become lists, dotted ones structures", () => {
    const body =
      "Action=RunInstances&Version=2016-11-15&MinCount=1&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b+c&TagSpecification.1.Tag.2.Key=d&Filter.10.Name=z&Filter.2.Name=y";
    expect(decodeForm(body)).toEqual({
      action: "RunInstances",
      input: {
        MinCount: "1",
        TagSpecification: [{ ResourceType: "instance", Tag: [{ Key: "a", Value: "b c" }, { Key: "d" }] }],
        Filter: [{ Name: "y" }, { Name: "z" }],
      },
    });
  });

  test("a client's call arrives decoded and its answer is understood", async () => {
    const answer = await ec2.send(
      new DescribeInstancesCommand({
        InstanceIds: ["i-1"],
        Filters: [{ Name: "tag:cluster", Values: ["clu_1", "a+b &=%"] }],
      }),
    );
    expect(calls).toEqual([
      {
        action: "DescribeInstances",
        input: { InstanceId: ["i-1"], Filter: [{ Name: "tag:cluster", Value: ["clu_1", "a+b &=%"] }] },
        arn: `arn:aws:sts::${account}:assumed-role/create-cluster/session`,
      },
    ]);
    expect(answer.Reservations?.[0]?.Instances?.[0]).toMatchObject({
      InstanceId: "i-1",
      State: { Code: 16, Name: "running" },
    });
  });

  test("an error reaches the client with its code and message", async () => {
    const run = new RunInstancesCommand({ MinCount: 1, MaxCount: 1 });
    await expect(ec2.send(run)).rejects.toMatchObject({
      name: "InsufficientInstanceCapacity",
      message: "no room in <local-1a> & others",
      $metadata: { httpStatusCode: 500 },
    });
  });
});

describe("signatures", () => {
  test("a wrong secret, an unknown key and an expired session are refused before any service is asked", async () => {
    const good = endpoints.as("role").credentials;
    const attempts = [
      [{ ...good, secretAccessKey: "wrong" }, "SignatureDoesNotMatch"],
      [{ accessKeyId: "AKIAUNKNOWN", secretAccessKey: "x" }, "UnrecognizedClientException"],
      [{ ...good, sessionToken: `${good.sessionToken}x` }, "UnrecognizedClientException"],
      [endpoints.as("role", -1).credentials, "ExpiredTokenException"],
    ] as const;
    for (const [credentials, name] of attempts) {
      const client = new EC2Client({ ...endpoints.operator, credentials, maxAttempts: 1 });
      await expect(client.send(new DescribeInstancesCommand({}))).rejects.toMatchObject({ name });
      client.destroy();
    }
    expect(calls).toEqual([]);
  });

  test("a request that was changed after it was signed or is too old is refused", async () => {
    const signed: { url: string; headers: Record<string, string>; body: string }[] = [];
    ec2.middlewareStack.add(
      (next) => (args) => {
        const request = args.request as { path: string; headers: Record<string, string>; body: string };
        signed.push({
          url: endpoints.endpoint + request.path,
          headers: { ...request.headers },
          body: request.body,
        });
        return next(args);
      },
      { step: "deserialize", name: "capture" },
    );
    await describeAll();
    calls.length = 0;
    const [original] = signed;
    if (original === undefined) throw new Error("nothing was captured");
    const { "content-length": _length, host: _host, ...headers } = original.headers;
    const post = (body: string, more: Record<string, string> = {}) =>
      fetch(original.url, { method: "POST", headers: { ...headers, ...more }, body });
    expect((await post(original.body)).status).toBe(200);
    expect((await post(`${original.body}&DryRun=true`)).status).toBe(403);
    expect((await post(original.body, { "x-amz-date": "20200101T000000Z" })).status).toBe(403);
    expect((await fetch(original.url, { method: "POST", body: original.body })).status).toBe(403);
    expect(calls).toHaveLength(1);
  });

  test("credentials outlive the server that issued them", async () => {
    const { operator } = endpoints;
    const other = await startEndpoints([ec2Service]);
    const client = new EC2Client({ ...operator, endpoint: other.endpoint });
    await client.send(new DescribeInstancesCommand({}));
    client.destroy();
    await other.close();
  });

  test.runIf(hasAwsCommand)("the AWS command line speaks to the endpoints", async () => {
    const { credentials, region } = endpoints.operator;
    const run = promisify(execFile);
    const environment = {
      PATH: process.env["PATH"],
      AWS_ENDPOINT_URL: endpoints.endpoint,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: "true",
      HOME: process.env["HOME"],
    };
    const { stdout } = await run("aws", ["sts", "get-caller-identity", "--output", "json"], {
      env: environment,
    });
    expect(JSON.parse(stdout)).toMatchObject({
      Arn: `arn:aws:iam::${account}:user/operator`,
      Account: account,
    });
  });
});

describe("faults", () => {
  test("an error is injected into the nth matching call, once", async () => {
    endpoints.faults.add({
      service: "ec2",
      action: "DescribeInstances",
      nth: 2,
      effect: { kind: "error", code: "InternalError", statusCode: 500 },
    });
    await describeAll();
    await expect(describeAll()).rejects.toMatchObject({ name: "InternalError" });
    await describeAll();
    expect(calls).toHaveLength(2);
  });

  test("a fault hits only calls whose input or caller it names", async () => {
    endpoints.faults.add({ inputContains: "local-1b", times: 9, effect: { kind: "throttle" } });
    endpoints.faults.add({ caller: "delete-cluster", times: 9, effect: { kind: "throttle" } });
    await describeAll();
    const inZone = new DescribeInstancesCommand({
      Filters: [{ Name: "availability-zone", Values: ["local-1b"] }],
    });
    await expect(ec2.send(inZone)).rejects.toMatchObject({ name: "RequestLimitExceeded" });
  });

  test("a dropped answer did the work, a dropped request did not, a repeated one did it twice", async () => {
    endpoints.faults.add({ effect: { kind: "drop-answer" } });
    await expect(describeAll()).rejects.toThrow();
    expect(calls).toHaveLength(1);
    endpoints.faults.add({ effect: { kind: "drop-request" } });
    await expect(describeAll()).rejects.toThrow();
    expect(calls).toHaveLength(1);
    endpoints.faults.add({ effect: { kind: "repeat" } });
    await describeAll();
    expect(calls).toHaveLength(3);
  });

  test("another process sets faults and reads calls with the administration token only", async () => {
    const url = `${endpoints.endpoint}/_pgherd/faults`;
    const rule = { service: "ec2", effect: { kind: "throttle" } };
    expect((await fetch(url, { method: "POST", body: JSON.stringify(rule) })).status).toBe(403);
    const headers = { authorization: `Bearer ${endpoints.identities.adminToken()}` };
    expect((await fetch(url, { method: "POST", headers, body: JSON.stringify(rule) })).status).toBe(201);
    await expect(describeAll()).rejects.toMatchObject({ name: "RequestLimitExceeded" });
    const list = await fetch(`${endpoints.endpoint}/_pgherd/calls?service=ec2`, { headers });
    expect(await list.json()).toMatchObject([
      { action: "DescribeInstances", roleName: "create-cluster", errorCode: "RequestLimitExceeded" },
    ]);
  });
});
