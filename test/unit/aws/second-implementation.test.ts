import {
  CreateLaunchTemplateCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeImagesCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  LambdaClient,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
} from "@aws-sdk/client-lambda";
import { BucketLocationConstraint, CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateScheduleGroupCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Ec2Compute } from "../../../layers/aws/compute.ts";
import { LambdaExecutions } from "../../../layers/aws/executions.ts";
import { IamNodeIdentities } from "../../../layers/aws/identities.ts";
import { NodeObjects } from "../../../layers/aws/node-objects.ts";
import { SchedulerBackupSchedules } from "../../../layers/aws/scheduler.ts";
import { ParameterStoreSecrets } from "../../../layers/aws/secrets.ts";
import { DynamoStore } from "../../../layers/aws/store.ts";
import { LambdaVersions } from "../../../layers/aws/versions.ts";
import { nodeRoleName } from "../../../layers/domain/cluster/node-role.ts";
import type { SecurityRule } from "../../../layers/domain/cluster/security-rules.ts";
import type { Placement } from "../../../layers/ports/compute.ts";
import { makeCreate } from "../../api/support/fixtures.ts";
import { settings } from "../../api/support/world.ts";
import { createTable } from "../../world/dynamodb.ts";
import { type Moto, startMoto } from "../../world/moto.ts";

/** The first run installs moto. */
const startTimeoutMs = 15 * 60 * 1000;
const testTimeoutMs = 120_000;

const clusterId = "clu_01JD3V9Q0CZ5J8W6T4S2R1N7KM";
const nodeId = "nod_01JD3V9Q0CZ5J8W6T4S2R1N7KN";
const zone = "eu-central-1a";
/** Policies take ARNs alone. */
const keyId = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000";
const inRegion = { region: "eu-central-1", settings: { ...settings, keyId } };
const rights = { clusterId, store: null, source: null };
const place: Placement = { clusterId, nodeId, zone };
const roleArn = "arn:aws:iam::123456789012:role/schedules";
const schedules = {
  group: "clusters",
  roleArn,
  targetArn: "arn:aws:lambda:eu-central-1:123456789012:function:f",
};

async function keysOf(objects: NodeObjects): Promise<string[]> {
  const keys: string[] = [];
  for await (const some of objects.list("clusters/")) keys.push(...some);
  return keys;
}

let moto: Moto;
beforeAll(async () => {
  moto = await startMoto();
}, startTimeoutMs);
afterAll(() => moto[Symbol.asyncDispose]());
afterEach(() => {
  vi.unstubAllEnvs();
});

/** The calls of the product, to an AWS that others wrote: what it takes and answers is what we meant. */
describe("a second implementation of AWS", { timeout: testTimeoutMs }, () => {
  async function openCompute(LaunchTemplateName: string): Promise<Ec2Compute> {
    const client = new EC2Client(moto.config);
    const { Vpc } = await client.send(new CreateVpcCommand({ CidrBlock: "10.0.0.0/16" }));
    const vpcId = Vpc?.VpcId ?? "";
    const { Subnet } = await client.send(
      new CreateSubnetCommand({ VpcId: vpcId, CidrBlock: "10.0.0.0/24", AvailabilityZone: zone }),
    );
    const { Images } = await client.send(new DescribeImagesCommand({ Owners: ["amazon"] }));
    const { LaunchTemplate } = await client.send(
      new CreateLaunchTemplateCommand({
        LaunchTemplateName,
        LaunchTemplateData: { ImageId: Images?.[0]?.ImageId },
      }),
    );
    client.destroy();
    const subnets = { [zone]: Subnet?.SubnetId ?? "" };
    return new Ec2Compute(
      { ...settings, vpcId, subnets, launchTemplateId: LaunchTemplate?.LaunchTemplateId ?? "" },
      { config: moto.config },
    );
  }

  test("makes a node, stops and starts it, grows its volume, and removes it without a trace", async () => {
    const compute = await openCompute("node");
    const identities = new IamNodeIdentities(inRegion, { config: moto.config });
    await identities.ensure(rights);
    const etcd: SecurityRule = { fromPort: 2379, toPort: 2380, source: "self", description: "etcd" };
    const client: SecurityRule = {
      ...{ fromPort: 5000, toPort: 5002, source: { cidr: "10.0.0.0/8" }, description: "clients" },
    };
    const { securityGroupId } = await compute.ensureSecurityGroup(clusterId, [etcd]);
    expect(await compute.ensureSecurityGroup(clusterId, [etcd])).toEqual({ securityGroupId });
    const { networkInterfaceId, address } = await compute.ensureNetworkInterface(place, securityGroupId);
    expect(await compute.ensureNetworkInterface(place, securityGroupId)).toEqual({
      networkInterfaceId,
      address,
    });
    const { volumeId } = await compute.ensureVolume(place, 2);
    expect(await compute.ensureVolume(place, 2)).toEqual({ volumeId });
    const input = { instanceType: "t4g.small", networkInterfaceId, volumeId, deadlineSeconds: 30 };
    const { instanceId } = await compute.ensureInstance(place, input);
    expect(await compute.ensureInstance(place, input)).toEqual({ instanceId });
    await compute.applySecurityRules(clusterId, [etcd, client]);
    expect(await compute.survey(clusterId, [etcd, client])).toEqual({
      instances: [{ instanceId, nodeId, instanceType: "t4g.small", state: "running" }],
      volumes: [{ volumeId, nodeId, sizeGiB: 2 }],
      networkInterfaces: [{ networkInterfaceId, nodeId }],
      securityRules: "current",
    });
    await compute.applySecurityRules(clusterId, [client]);
    expect((await compute.survey(clusterId, [client])).securityRules).toBe("current");
    await compute.growVolume(volumeId, 3);
    expect((await compute.survey(clusterId, [client])).volumes).toEqual([{ volumeId, nodeId, sizeGiB: 3 }]);
    await compute.stopInstance(instanceId, 30);
    expect(await compute.startInstance(place, 30)).toEqual({ instanceId });
    await compute.removeInstance(clusterId, nodeId);
    await compute.removeVolume(clusterId, nodeId);
    await compute.removeNetworkInterface(clusterId, nodeId);
    await compute.removeSecurityGroup(clusterId);
    await identities.remove(clusterId);
    expect(await compute.survey(clusterId, [client])).toEqual({
      ...{ instances: [], volumes: [], networkInterfaces: [], securityRules: "stale" },
    });
  });

  test("lets members of a group in that a rule names, and says who names it", async () => {
    const compute = await openCompute("reader");
    const other = `${clusterId.slice(0, -1)}P`;
    const { securityGroupId } = await compute.ensureSecurityGroup(clusterId, []);
    const clients: SecurityRule = {
      ...{ fromPort: 5000, toPort: 5002, source: { securityGroupId }, description: "clients" },
    };
    const readers = await compute.ensureSecurityGroup(other, [clients]);
    expect((await compute.survey(other, [clients])).securityRules).toBe("current");
    expect(await compute.unknownSecurityGroups([securityGroupId, "sg-0a1b2c3d"])).toEqual(["sg-0a1b2c3d"]);
    expect(await compute.securityGroupUse(clusterId)).toEqual({
      securityGroupId,
      namedBy: [{ securityGroupId: readers.securityGroupId, clusterId: other }],
    });
    await compute.applySecurityRules(other, []);
    expect((await compute.securityGroupUse(clusterId)).namedBy).toEqual([]);
    await compute.removeSecurityGroup(clusterId);
    await compute.removeSecurityGroup(other);
  });

  test("makes the role of a cluster's nodes once, changes what it may do, finds it, and removes it", async () => {
    const identities = new IamNodeIdentities(inRegion, { config: moto.config });
    await identities.ensure(rights);
    await identities.ensure(rights);
    await identities.permit({ ...rights, source: { clusterId: `${clusterId.slice(0, -1)}0`, store: null } });
    const name = nodeRoleName(settings.environment, clusterId);
    expect(await identities.list()).toEqual([{ clusterId, name }]);
    await identities.remove(clusterId);
    await identities.remove(clusterId);
    expect(await identities.list()).toEqual([]);
  });

  test("keeps secrets once made, replaces them, and removes those of a cluster", async () => {
    const secrets = new ParameterStoreSecrets({ ...settings, keyId: "alias/aws/ssm" }, moto.config);
    const path = `/pgherd/local/${clusterId}`;
    const name = `${path}/users/admin`;
    expect(await secrets.find(name)).toBeNull();
    await secrets.ensure(name, clusterId, async () => "first");
    await secrets.ensure(name, clusterId, async () => "second");
    expect(await secrets.read(name)).toBe("first");
    await secrets.replace(name, "third");
    expect(await secrets.read(name)).toBe("third");
    await secrets.ensure(`${path}/users/client`, clusterId, async () => "other");
    await secrets.removeAll(path);
    expect(await secrets.find(name)).toBeNull();
  });

  test("has the schedules of a cluster, changes them, and removes them", async () => {
    const client = new SchedulerClient(moto.config);
    await client.send(new CreateScheduleGroupCommand({ Name: schedules.group }));
    client.destroy();
    const made = new SchedulerBackupSchedules({ ...settings, schedules }, moto.config);
    const wanted = {
      full: "0 2 * * 0",
      diff: null,
      incr: "0 2 * * 1",
      logical: null,
      drill: null,
      verify: null,
    };
    await made.apply(clusterId, wanted);
    expect(await made.isCurrent(clusterId, wanted)).toBe(true);
    const changed = { ...wanted, full: "0 3 * * 0", incr: null };
    expect(await made.isCurrent(clusterId, changed)).toBe(false);
    await made.apply(clusterId, changed);
    expect(await made.isCurrent(clusterId, changed)).toBe(true);
    await made.remove(clusterId);
    expect(await made.isCurrent(clusterId, changed)).toBe(false);
  });

  test("keeps objects, lists and removes them", async () => {
    const { endpoint, region, credentials } = moto.config;
    vi.stubEnv("AWS_ENDPOINT_URL", endpoint);
    vi.stubEnv("AWS_ACCESS_KEY_ID", credentials.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", credentials.secretAccessKey);
    const bucket = "backups";
    const client = new S3Client({ ...moto.config, forcePathStyle: true });
    await client.send(
      new CreateBucketCommand({
        Bucket: bucket,
        CreateBucketConfiguration: { LocationConstraint: BucketLocationConstraint.eu_central_1 },
      }),
    );
    client.destroy();
    using objects = new NodeObjects({ bucket, region }, null);
    expect(await objects.get("clusters/a")).toBeNull();
    expect(await objects.putNew("clusters/a", Buffer.from("one"))).toBe(true);
    expect(await objects.putNew("clusters/a", Buffer.from("two"))).toBe(false);
    await objects.put("clusters/b", Buffer.from("0123456789"));
    expect((await objects.get("clusters/b", { offset: 2, bytes: 3 }))?.toString()).toBe("234");
    expect(await keysOf(objects)).toEqual(["clusters/a", "clusters/b"]);
    await objects.remove(["clusters/a", "clusters/b"]);
    expect(await keysOf(objects)).toEqual([]);
  });

  test("keeps a cluster with its operation, refuses its name to another one, and ends the operation", async () => {
    const table = "pgherd";
    await createTable(moto.config, table);
    const store = new DynamoStore(table, moto.config);
    const { cluster, start } = makeCreate("orders");
    await store.createCluster(cluster, start);
    expect(await store.getCluster(cluster.id)).toEqual(cluster);
    const twin = makeCreate("orders");
    await expect(store.createCluster(twin.cluster, twin.start)).rejects.toMatchObject({ code: "name-taken" });
    expect(await store.getCluster(twin.cluster.id)).toBeNull();
    const page = { limit: 10, cursor: null };
    expect((await store.listClusters(page)).items).toEqual([cluster]);
    expect((await store.listOperations({ ...page, clusterId: cluster.id })).items).toEqual([start.operation]);
    const ended = { state: "succeeded", endedAt: start.operation.createdAt } as const;
    await store.endOperation(start.operation.id, ended);
    expect(await store.getOperation(start.operation.id)).toMatchObject(ended);
    expect((await store.getCluster(cluster.id))?.activeOperationId).toBeNull();
  });

  test("lists versions and what aliases lead to, and removes a version without the function", async () => {
    const iam = new IAMClient(moto.config);
    const { Role } = await iam.send(
      new CreateRoleCommand({ RoleName: "workflow", AssumeRolePolicyDocument: "{}" }),
    );
    iam.destroy();
    const client = new LambdaClient(moto.config);
    const FunctionName = "pgherd-local-create-cluster";
    const code = (text: string) => ({ ZipFile: Buffer.from(text) });
    const created = await client.send(
      new CreateFunctionCommand({
        ...{
          FunctionName,
          Role: Role?.Arn,
          Code: code("1"),
          Runtime: "nodejs24.x",
          Handler: "index.handler",
        },
      }),
    );
    await client.send(new PublishVersionCommand({ FunctionName }));
    for (const text of ["2", "3"]) {
      await client.send(new UpdateFunctionCodeCommand({ FunctionName, ...code(text) }));
      await client.send(new PublishVersionCommand({ FunctionName }));
    }
    await client.send(new CreateAliasCommand({ FunctionName, Name: "live", FunctionVersion: "3" }));
    client.destroy();
    const workflows = { "create-cluster": `${created.FunctionArn}:live` };
    const versions = new LambdaVersions({ ...settings, workflows }, moto.config);
    const publishedMs = expect.any(Number);
    const there = { live: 3, aliased: [3] };
    expect(await versions.list("create-cluster")).toEqual({
      ...there,
      published: [1, 2, 3].map((version) => ({ version, publishedMs })),
    });
    expect(await versions.remove("create-cluster", 1)).toBe(true);
    expect(await versions.remove("create-cluster", 1)).toBe(true);
    expect(await versions.list("create-cluster")).toEqual({
      ...there,
      published: [2, 3].map((version) => ({ version, publishedMs })),
    });
  });

  test("knows no durable executions yet, which nothing but our own endpoint is tried with", async () => {
    const workflows = { "create-cluster": `${schedules.targetArn}:live` };
    const executions = new LambdaExecutions({ ...settings, workflows }, moto.config);
    const asked = executions.find("create-cluster", "opn_01JD3V9Q0CZ5J8W6T4S2R1N7KQ", 0);
    await expect(asked).rejects.toThrow();
  });
});
