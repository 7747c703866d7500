import { S3Client } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SsmNodeCommands } from "../../../../layers/aws/commands.ts";
import { Ec2Compute } from "../../../../layers/aws/compute.ts";
import { IamNodeIdentities } from "../../../../layers/aws/identities.ts";
import { AwsInventory } from "../../../../layers/aws/inventory.ts";
import { readParameters } from "../../../../layers/aws/node.ts";
import { downloadObject } from "../../../../layers/aws/node-download.ts";
import { NodeObjects } from "../../../../layers/aws/node-objects.ts";
import { publishParameter } from "../../../../layers/aws/node-parameter.ts";
import { removeObjects } from "../../../../layers/aws/object-removal.ts";
import { S3Repositories } from "../../../../layers/aws/repositories.ts";
import { SchedulerBackupSchedules } from "../../../../layers/aws/scheduler.ts";
import { ParameterStoreSecrets } from "../../../../layers/aws/secrets.ts";
import { nodeRoleName } from "../../../../layers/domain/cluster/node-role.ts";
import type { SecurityRule } from "../../../../layers/domain/cluster/security-rules.ts";
import { type BelongingKind, belongingKinds } from "../../../../layers/ports/inventory.ts";
import { newNodeId } from "../../../api/support/fixtures.ts";
import type { Implementation } from "./implementations.ts";

const clusterId = "clu_01JD3V9Q0CZ5J8W6T4S2R1N7KM";
const otherClusterId = "clu_01JD3V9Q0CZ5J8W6T4S2R1N7KP";
const operationId = "opn_01JD3V9Q0CZ5J8W6T4S2R1N7KQ";
const rights = { clusterId, store: null, source: null };
const etcd: SecurityRule = { fromPort: 2379, toPort: 2380, source: "self", description: "etcd" };
const clients: SecurityRule = {
  ...{ fromPort: 5000, toPort: 5002, source: { cidr: "10.0.0.0/8" }, description: "clients" },
};
const timers = {
  full: "0 2 * * 0",
  diff: null,
  incr: "0 2 * * 1",
  logical: null,
  drill: null,
  verify: null,
};
/** Removing takes moments, and longer on a busy machine. */
const removalMs = 30_000;

async function keysOf(objects: NodeObjects): Promise<string[]> {
  const keys: string[] = [];
  for await (const some of objects.list("clusters/")) keys.push(...some);
  return keys;
}

/** What the product asks of AWS, by its own adapters: the same of every implementation. */
export function promiseProductCalls(aws: () => Implementation): void {
  beforeEach(() => {
    const { endpoint, region, credentials } = aws().config;
    vi.stubEnv("AWS_ENDPOINT_URL", endpoint);
    vi.stubEnv("AWS_REGION", region);
    vi.stubEnv("AWS_ACCESS_KEY_ID", credentials.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", credentials.secretAccessKey);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  const computeOf = () => new Ec2Compute(aws().settings, { config: aws().config });
  const identitiesOf = () =>
    new IamNodeIdentities(
      { region: aws().config.region, settings: aws().settings },
      { config: aws().config },
    );
  const secretsOf = () => new ParameterStoreSecrets(aws().settings, aws().config);
  const schedulesOf = () => new SchedulerBackupSchedules(aws().settings, aws().config);

  /** A node's interface and volume, and an instance that fills it. */
  async function makeNode(compute: Ec2Compute, nodeId: string) {
    const place = { clusterId, nodeId, zone: aws().zone };
    const { securityGroupId } = await compute.ensureSecurityGroup(clusterId, [etcd]);
    const { networkInterfaceId } = await compute.ensureNetworkInterface(place, securityGroupId);
    const { volumeId } = await compute.ensureVolume(place, 2);
    const input = { instanceType: "t4g.small", networkInterfaceId, volumeId, deadlineSeconds: 30 };
    const { instanceId } = await compute.ensureInstance(place, input);
    return { place, securityGroupId, networkInterfaceId, volumeId, instanceId };
  }

  async function removeNode(compute: Ec2Compute, nodeId: string): Promise<void> {
    await compute.removeInstance(clusterId, nodeId);
    await compute.removeVolume(clusterId, nodeId);
    await compute.removeNetworkInterface(clusterId, nodeId);
    await compute.removeSecurityGroup(clusterId);
    await identitiesOf().remove(clusterId);
  }

  test("makes a node once, stops and starts it, grows its volume, and removes it without a trace", async () => {
    const compute = computeOf();
    await identitiesOf().ensure(rights);
    const nodeId = newNodeId();
    const { place, ...made } = await makeNode(compute, nodeId);
    const { instanceId, networkInterfaceId, volumeId } = made;
    expect(await makeNode(compute, nodeId)).toEqual({ place, ...made });
    await compute.applySecurityRules(clusterId, [etcd, clients]);
    expect(await compute.survey(clusterId, [etcd, clients])).toEqual({
      instances: [{ instanceId, nodeId, instanceType: "t4g.small", state: "running" }],
      volumes: [{ volumeId, nodeId, sizeGiB: 2 }],
      networkInterfaces: [{ networkInterfaceId, nodeId }],
      securityRules: "current",
    });
    await compute.applySecurityRules(clusterId, [clients]);
    expect((await compute.survey(clusterId, [clients])).securityRules).toBe("current");
    await compute.growVolume(volumeId, 3);
    expect((await compute.survey(clusterId, [clients])).volumes).toEqual([{ volumeId, nodeId, sizeGiB: 3 }]);
    await compute.stopInstance(instanceId, 30);
    expect(await compute.startInstance(place, 30)).toEqual({ instanceId });
    await removeNode(compute, nodeId);
    expect(await compute.survey(clusterId, [clients])).toEqual({
      ...{ instances: [], volumes: [], networkInterfaces: [], securityRules: "stale" },
    });
  });

  test("lets members of a group in that a rule names, and says who names it", async () => {
    const compute = computeOf();
    const { securityGroupId } = await compute.ensureSecurityGroup(clusterId, []);
    const members: SecurityRule = { ...clients, source: { securityGroupId } };
    const readers = await compute.ensureSecurityGroup(otherClusterId, [members]);
    expect((await compute.survey(otherClusterId, [members])).securityRules).toBe("current");
    expect(await compute.unknownSecurityGroups([securityGroupId, "sg-0a1b2c3d"])).toEqual(["sg-0a1b2c3d"]);
    expect(await compute.securityGroupUse(clusterId)).toEqual({
      securityGroupId,
      namedBy: [{ securityGroupId: readers.securityGroupId, clusterId: otherClusterId }],
    });
    await compute.applySecurityRules(otherClusterId, []);
    expect((await compute.securityGroupUse(clusterId)).namedBy).toEqual([]);
    await compute.removeSecurityGroup(clusterId);
    await compute.removeSecurityGroup(otherClusterId);
  });

  test("makes the role of a cluster's nodes once, changes what it may do, finds it, and removes it", async () => {
    const identities = identitiesOf();
    await identities.ensure(rights);
    await identities.ensure(rights);
    await identities.permit({ ...rights, source: { clusterId: `${clusterId.slice(0, -1)}0`, store: null } });
    const role = nodeRoleName(aws().settings.environment, clusterId);
    expect(await identities.list()).toEqual([{ clusterId, name: role }]);
    await identities.remove(clusterId);
    await identities.remove(clusterId);
    expect(await identities.list()).toEqual([]);
  });

  test("takes a command for a node's instance, and says what came of it", async () => {
    const compute = computeOf();
    await identitiesOf().ensure(rights);
    const nodeId = newNodeId();
    const { instanceId } = await makeNode(compute, nodeId);
    const commands = new SsmNodeCommands(aws().settings, aws().config);
    const target = { instanceId, operationId, step: "observe", deadlineSeconds: 10 };
    const observed = await commands
      .run(target, "observe", { clusterId, nodeId })
      .catch(({ code }: { code: unknown }) => code);
    expect(observed).toEqual(aws().observed);
    await removeNode(compute, nodeId);
  });

  test("keeps secrets once made, replaces them, and removes those of a cluster", async () => {
    const secrets = secretsOf();
    const path = `/pgherd/local/${clusterId}`;
    const admin = `${path}/users/admin`;
    expect(await secrets.find(admin)).toBeNull();
    await secrets.ensure(admin, clusterId, async () => "first");
    await secrets.ensure(admin, clusterId, async () => "second");
    expect(await secrets.read(admin)).toBe("first");
    await secrets.replace(admin, "third");
    expect(await readParameters([admin])).toEqual(new Map([[admin, "third"]]));
    await secrets.ensure(`${path}/users/client`, clusterId, async () => "other");
    await secrets.removeAll(path);
    expect(await secrets.find(admin)).toBeNull();
  });

  test("publishes what everybody may know, in place of what was there", async () => {
    const parameter = "/pgherd/local/node-image-manifest";
    await publishParameter(parameter, "old");
    await publishParameter(parameter, "new");
    expect(await secretsOf().read(parameter)).toBe("new");
    await secretsOf().remove([parameter]);
  });

  test("has the schedules of a cluster, changes them, and removes them", async () => {
    const schedules = schedulesOf();
    await schedules.apply(clusterId, timers);
    expect(await schedules.isCurrent(clusterId, timers)).toBe(true);
    const changed = { ...timers, full: "0 3 * * 0", incr: null };
    expect(await schedules.isCurrent(clusterId, changed)).toBe(false);
    await schedules.apply(clusterId, changed);
    expect(await schedules.isCurrent(clusterId, changed)).toBe(true);
    await schedules.remove(clusterId);
    expect(await schedules.isCurrent(clusterId, changed)).toBe(false);
  });

  test("finds everything that says it is a cluster's, and removes it piece by piece", async () => {
    await identitiesOf().ensure(rights);
    await makeNode(computeOf(), newNodeId());
    await secretsOf().ensure(`/pgherd/local/${clusterId}/users/admin`, clusterId, async () => "secret");
    await schedulesOf().apply(clusterId, { ...timers, incr: null });
    const inventory = new AwsInventory(
      { region: aws().config.region, settings: aws().settings },
      aws().config,
    );
    const kindsOf = async () => (await inventory.list()).map(({ kind }) => kind).toSorted();
    expect(await kindsOf()).toEqual(belongingKinds.toSorted());
    // What holds another one goes first; an instance that ends lets go of what it held.
    const remove = async (kind: BelongingKind) => {
      const [found] = (await inventory.list()).filter((one) => one.kind === kind);
      return found !== undefined && inventory.remove(found);
    };
    for (const kind of belongingKinds)
      await expect.poll(() => remove(kind), { timeout: removalMs }).toBe(true);
    expect(await kindsOf()).toEqual([]);
  });

  test("keeps objects, lists and removes them", async () => {
    const { region } = aws().config;
    const { bucket } = aws().settings.backups;
    using objects = new NodeObjects({ bucket, region }, null);
    expect(await objects.get("clusters/a")).toBeNull();
    expect(await objects.putNew("clusters/a", Buffer.from("one"))).toBe(true);
    expect(await objects.putNew("clusters/a", Buffer.from("two"))).toBe(false);
    await objects.put("clusters/b", Buffer.from("0123456789"));
    await objects.put("clusters/c", Buffer.from("program"));
    expect((await objects.get("clusters/b", { offset: 2, bytes: 3 }))?.toString()).toBe("234");
    expect(Buffer.from(await downloadObject(bucket, "clusters/c")).toString()).toBe("program");
    expect(await keysOf(objects)).toEqual(["clusters/a", "clusters/b", "clusters/c"]);
    // As in a store of somebody else's.
    const client = new S3Client({ ...aws().config, forcePathStyle: true });
    await removeObjects({ name: bucket, client, isForeign: true }, ["clusters/c"]);
    client.destroy();
    await objects.remove(["clusters/a", "clusters/b"]);
    expect(await keysOf(objects)).toEqual([]);
  });

  test("shows a repository's WAL and timelines, and removes what a cluster has", async () => {
    const { region } = aws().config;
    const { bucket } = aws().settings.backups;
    using objects = new NodeObjects({ bucket, region }, null);
    const repositories = new S3Repositories(aws().settings, secretsOf(), aws().config);
    const archive = `clusters/${clusterId}/0/archive/main/17-1`;
    const segment = "000000020000000000000003";
    await objects.put(`${archive}/00000002.history`, Buffer.from("1"));
    await objects.put(
      `${archive}/${segment.slice(0, 16)}/${segment}-${"0".repeat(40)}.zst`,
      Buffer.from("wal"),
    );
    const place = { clusterId, store: null, shard: 0 };
    expect(await repositories.timelines(place)).toMatchObject([{ timeline: 2 }]);
    const { segments } = await repositories.wal(place, "000000020000000000000001");
    expect(segments).toMatchObject([{ name: segment }]);
    expect(await repositories.removeAll(place, removalMs)).toEqual({ removed: 2, isDone: true });
    expect(await repositories.timelines(place)).toEqual([]);
  });
}
