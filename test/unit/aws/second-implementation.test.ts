import { LambdaClient, StopDurableExecutionCommand } from "@aws-sdk/client-lambda";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SsmNodeCommands } from "../../../layers/aws/commands.ts";
import { LambdaExecutions } from "../../../layers/aws/executions.ts";
import { DynamoStore } from "../../../layers/aws/store.ts";
import { LambdaVersions } from "../../../layers/aws/versions.ts";
import { makeCreate, newClusterId, newOperationId } from "../../api/support/fixtures.ts";
import { createTable } from "../../world/dynamodb.ts";
import { AnswerRecord, operationsOfProduct, type Shapes } from "./support/answers.ts";
import {
  type Implementation,
  startMotoImplementation,
  startOwnImplementation,
  versions,
} from "./support/implementations.ts";
import { promiseProductCalls } from "./support/product-calls.ts";

/** The first run installs moto. */
const startTimeoutMs = 15 * 60 * 1000;
const testTimeoutMs = 120_000;

/** Operations that moto does not know, with the product's way to them. */
const unknownToMoto: Readonly<Record<string, (of: Implementation) => Promise<unknown>>> = {
  ListDurableExecutionsByFunction: (of) => executionsOf(of).find("create-cluster", newOperationId(), 0),
  StopDurableExecution: ({ config, settings }) =>
    new LambdaClient({ ...config, maxAttempts: 1 }).send(
      new StopDurableExecutionCommand({
        DurableExecutionArn: `${settings.schedules.targetArn}:1/durable-execution/${newOperationId()}/1`,
      }),
    ),
  DescribeInstanceInformation: ({ config, settings }) =>
    new SsmNodeCommands(settings, { ...config, maxAttempts: 1 }).awaitOnline("i-0123456789abcdef0", 1),
};
/** A page that says "not found", or the trace of a program that has no such method. */
const unknownStatuses = [404, 500];

const executionsOf = ({ config, settings }: Implementation) =>
  new LambdaExecutions(settings, { ...config, maxAttempts: 1 });

/** What the local environment answers as AWS documents it and moto leaves out; nothing in the product reads it. */
const leftOut: readonly { readonly field: RegExp; readonly because: string }[] = [
  { field: /\bAvailabilityZoneId$/, because: "zones have no ids there" },
  { field: /\b(PrivateDnsName|PublicDnsName)$/, because: "names in the DNS depend on the VPC there" },
  {
    field: /\b(SnapshotId|Throughput|MultiAttachEnabled)$/,
    because: "volumes there tell what was asked for",
  },
  {
    field: /^(AttachVolume|DescribeVolumes) .*\bDeleteOnTermination$/,
    because: "defaults are not told there",
  },
  { field: /\b(Original|Target)VolumeType$/, because: "only what changes is told there" },
  {
    field: /\b(EnaSupport|PlatformDetails)$/,
    because: "they come from the image, which is another one there",
  },
  {
    field: /^\w+Instances .*Instances\[\]\.SecurityGroups\[\]\./,
    because: "an interface that was there before its instance tells them itself",
  },
  { field: /^CreateNetworkInterface ClientToken$/, because: "the token is taken there and not told again" },
  {
    field: /^CreateSecurityGroup Tags\[\]\./,
    because: "they are kept there and told by DescribeSecurityGroups",
  },
  { field: /^DeleteSecurityGroup (GroupId|Return)$/, because: "an answer without an error says it there" },
  {
    field: /\b(DocumentVersion|StandardErrorUrl)$/,
    because: "commands there have neither versions nor buckets",
  },
  { field: /^GetSchedule ActionAfterCompletion$/, because: "defaults are not told there" },
];

const answers = new AnswerRecord();

/** Starts an implementation for the tests of a suite and keeps what it answers to them. */
function useImplementation(start: () => Promise<Implementation>, shapes: Shapes): () => Implementation {
  let aws: Implementation;
  beforeAll(async () => {
    aws = await start();
  }, startTimeoutMs);
  afterEach(() => answers.collect(shapes));
  afterAll(() => aws[Symbol.asyncDispose]());
  return () => aws;
}

const byMoto: Shapes = new Map();
const byOurs: Shapes = new Map();

/** An AWS that others wrote: what it takes and answers is what we meant. */
describe("moto", { timeout: testTimeoutMs }, () => {
  const aws = useImplementation(startMotoImplementation, byMoto);
  promiseProductCalls(aws);

  test("begins an execution", async () => {
    await executionsOf(aws()).start("create-cluster", {
      clusterId: newClusterId(),
      operationId: newOperationId(),
    });
  });

  test("lists versions and what aliases lead to, and removes a version without the function", async () => {
    const adapter = new LambdaVersions(aws().settings, aws().config);
    const publishedMs = expect.any(Number);
    const expected = (numbers: number[]) => ({
      ...{ live: versions, aliased: [versions] },
      published: numbers.map((version) => ({ version, publishedMs })),
    });
    expect(await adapter.list("delete-cluster")).toEqual(expected([1, 2, 3]));
    expect(await adapter.remove("delete-cluster", 1)).toBe(true);
    expect(await adapter.remove("delete-cluster", 1)).toBe(true);
    expect(await adapter.list("delete-cluster")).toEqual(expected([2, 3]));
  });

  // DynamoDB Local is AWS's own, so there is none of ours to compare.
  test("keeps a cluster with its operation, refuses its name to another one, and ends the operation", async () => {
    const table = "pgherd";
    await createTable(aws().config, table);
    const store = new DynamoStore(table, aws().config);
    const { cluster, start: begun } = makeCreate("orders");
    const { operation } = begun;
    await store.createCluster(cluster, begun);
    expect(await store.getCluster(cluster.id)).toEqual(cluster);
    const twin = makeCreate("orders");
    await expect(store.createCluster(twin.cluster, twin.start)).rejects.toMatchObject({
      code: "name-taken",
    });
    expect(await store.getCluster(twin.cluster.id)).toBeNull();
    const page = { limit: 10, cursor: null };
    expect((await store.listClusters(page)).items).toEqual([cluster]);
    expect((await store.listOperations({ ...page, clusterId: cluster.id })).items).toEqual([operation]);
    await store.markOperationRunning(operation.id, ["one"]);
    expect(await store.listOpenOperations(null)).toMatchObject([{ id: operation.id, state: "running" }]);
    const ended = { state: "succeeded", endedAt: operation.createdAt } as const;
    await store.endOperation(operation.id, ended);
    expect(await store.getOperation(operation.id)).toMatchObject(ended);
    expect((await store.getCluster(cluster.id))?.activeOperationId).toBeNull();
    const orphan = { name: "volume vol-1", firstSeenAt: operation.createdAt };
    await store.noteOrphan(orphan);
    expect(await store.listOrphans()).toEqual([orphan]);
    await store.forgetOrphan(orphan.name);
    expect(await store.listOrphans()).toEqual([]);
  });

  test.each(Object.entries(unknownToMoto))("does not know %s", async (_, call) => {
    const $metadata = { httpStatusCode: expect.toSatisfy((status) => unknownStatuses.includes(status)) };
    await expect(call(aws())).rejects.toMatchObject({ $metadata });
  });
});

describe("the local environment", { timeout: testTimeoutMs }, () => {
  promiseProductCalls(useImplementation(startOwnImplementation, byOurs));
});

test("moto has taken every operation that the product calls, or is named as not knowing it", async () => {
  const taken = [...byMoto.keys()];
  const operations = await operationsOfProduct();
  expect([...new Set([...taken, ...Object.keys(unknownToMoto)])].toSorted()).toEqual(
    [...operations].toSorted(),
  );
  expect(taken.filter((operation) => operation in unknownToMoto)).toEqual([]);
});

test("moto answers every field that the local environment answers, or leaves it out for a reason", () => {
  const missing = [...byOurs].flatMap(([operation, fields]) =>
    [...fields]
      .filter((field) => byMoto.get(operation)?.has(field) !== true)
      .map((field) => `${operation} ${field.replace(/ \w+$/, "")}`),
  );
  expect(missing.filter((one) => !leftOut.some(({ field }) => field.test(one)))).toEqual([]);
  for (const { because, field } of leftOut)
    expect(
      missing.some((one) => field.test(one)),
      `${field}: ${because}`,
    ).toBe(true);
});
