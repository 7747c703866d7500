import {
  AuthorizeSecurityGroupIngressCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
} from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Ec2Compute } from "../../../layers/aws/compute.ts";
import { clientToken } from "../../../layers/domain/cluster/names.ts";
import { nodeRoleName } from "../../../layers/domain/cluster/node-role.ts";
import type { SecurityRule } from "../../../layers/domain/cluster/security-rules.ts";
import type { Placement } from "../../../layers/ports/compute.ts";
import { Roles } from "../../../local/endpoints/iam/roles.ts";
import { settings } from "../../api/support/world.ts";
import { type Ec2, startEc2, zones } from "../local/support/ec2.ts";
import { account } from "../local/support/endpoints.ts";

const clusterId = "clu_01JD3V9Q0CZ5J8W6T4S2R1N7KM";
const nodeId = "nod_01JD3V9Q0CZ5J8W6T4S2R1N7KN";
const otherNodeId = "nod_01JD3V9Q0CZ5J8W6T4S2R1N7KP";
const operationId = "opn_01JD3V9Q0CZ5J8W6T4S2R1N7KQ";
const place: Placement = { clusterId, nodeId, zone: zones[0] };
const instanceType = "t4g.small";

const fromAnywhere = (port: number): SecurityRule => ({
  fromPort: port,
  toPort: port,
  source: { cidr: "0.0.0.0/0" },
  description: `port ${port}`,
});
const amongNodes: SecurityRule = { fromPort: 2379, toPort: 2380, source: "self", description: "etcd" };

let ec2: Ec2;
let compute: Ec2Compute;
beforeEach(async () => {
  ec2 = await startEc2();
  makeProfile(clusterId);
  const { vpcId, launchTemplateId } = ec2;
  const subnets = Object.fromEntries(zones.map((zone, index) => [zone, ec2.subnets[index] ?? ""]));
  compute = new Ec2Compute(
    { ...settings, vpcId, launchTemplateId, subnets },
    {
      config: ec2.operator,
      deadlines: { terminationMs: 3_000, releaseMs: 1_000, profileMs: 1_000, growthMs: 1_000 },
    },
  );
});
afterEach(async () => {
  await ec2.close();
});

/** As IAM keeps it. */
function makeProfile(of: string): void {
  const InstanceProfileName = nodeRoleName(settings.environment, of);
  new Roles({ documents: ec2.documents, account }).actions["CreateInstanceProfile"]?.({
    InstanceProfileName,
  });
}

async function made(at: Placement = place) {
  const group = await compute.ensureSecurityGroup(clusterId, [amongNodes]);
  const { networkInterfaceId } = await compute.ensureNetworkInterface(at, group.securityGroupId);
  const { volumeId } = await compute.ensureVolume(at, 2);
  return { networkInterfaceId, volumeId, instanceType, deadlineSeconds: 5 };
}

async function filled(at: Placement = place) {
  const parts = await made(at);
  return { ...parts, ...(await compute.ensureInstance(at, parts)) };
}

const instances = async () =>
  (await ec2.client.send(new DescribeInstancesCommand({}))).Reservations?.flatMap(
    (one) => one.Instances ?? [],
  ) ?? [];

describe("an instance that is launched", () => {
  const otherClusterId = "clu_01JD3V9Q0CZ5J8W6T4S2R1N7KZ";
  const elsewhere: Placement = { ...place, clusterId: otherClusterId };

  test("has the profile of its own cluster", async () => {
    await filled();
    const [instance] = await instances();
    expect(instance?.IamInstanceProfile?.Arn).toMatch(new RegExp(`/pgherd-local-${clusterId}$`));
  });

  test("waits for EC2 to know the profile that IAM has just made", async () => {
    const parts = await made(elsewhere);
    const launching = compute.ensureInstance(elsewhere, parts);
    await expect.poll(() => refusals(), { timeout: 2_000 }).toBeGreaterThan(1);
    makeProfile(otherClusterId);
    await launching;
    expect(await instances()).toHaveLength(1);
  });

  test("is given up where its cluster has no profile", async () => {
    const launching = compute.ensureInstance(elsewhere, await made(elsewhere));
    await expect(launching).rejects.toThrow(
      /instance profile pgherd-local-clu_\w+ being known to EC2 did not happen/,
    );
  });

  const refusals = () =>
    ec2.recorder.list().filter(({ action, errorCode }) => {
      return action === "RunInstances" && errorCode === "InvalidParameterValue";
    }).length;
});

describe("a place that is made again", () => {
  const again: Placement = { ...place, generation: `${operationId}-4` };

  test("gets an interface and a volume of its own, however often it is asked for", async () => {
    const before = await made();
    const after = await made(again);
    expect(after.networkInterfaceId).not.toBe(before.networkInterfaceId);
    expect(after.volumeId).not.toBe(before.volumeId);
    expect(await made(again)).toEqual(after);
    expect(await made({ ...place, generation: `${operationId}-5` })).not.toMatchObject({
      volumeId: after.volumeId,
    });
  });

  test("gets the same ones when EC2's answer was lost", async () => {
    await made();
    for (const action of ["CreateNetworkInterface", "CreateVolume"]) {
      ec2.faults.add({ action, effect: { kind: "drop-answer" } });
    }
    await made(again);
    const { volumes, networkInterfaces } = await compute.survey(clusterId, []);
    expect([volumes.length, networkInterfaces.length]).toEqual([2, 2]);
  });

  test("is gone with its node like all that came before it", async () => {
    await made();
    await made(again);
    await compute.removeNetworkInterface(clusterId, nodeId);
    await compute.removeVolume(clusterId, nodeId);
    expect(await compute.survey(clusterId, [])).toMatchObject({ volumes: [], networkInterfaces: [] });
  });

  test("has client tokens that EC2 takes", () => {
    expect(clientToken("vol", nodeId, 11, "0123456789ab").length).toBeLessThanOrEqual(64);
  });
});

describe("an instance", () => {
  test("leaves interface and volume when it is removed, and another one gets them", async () => {
    const first = await filled();
    await compute.removeInstanceById(first.instanceId);
    const left = await compute.survey(clusterId, []);
    expect(left).toMatchObject({
      instances: [],
      volumes: [{ volumeId: first.volumeId, nodeId, sizeGiB: 2 }],
      networkInterfaces: [{ networkInterfaceId: first.networkInterfaceId, nodeId }],
    });
    const at = { ...place, generation: operationId };
    const second = await compute.ensureInstance(at, { ...first, instanceType: "t4g.medium" });
    expect(second.instanceId).not.toBe(first.instanceId);
    expect(ec2.driver.attached.get(first.volumeId)).toBe(second.instanceId);
    expect((await ec2.world.describe(second.instanceId)).NetworkInterfaces?.[0]).toMatchObject({
      NetworkInterfaceId: first.networkInterfaceId,
      Attachment: { DeleteOnTermination: false },
    });
    const volumes = await ec2.client.send(new DescribeVolumesCommand({}));
    expect(volumes.Volumes?.[0]?.Attachments?.[0]?.DeleteOnTermination).toBe(false);
  });

  test("that ended under the same token is not taken for the one that is wanted", async () => {
    const at = { ...place, generation: operationId };
    const first = await filled(at);
    await compute.removeInstanceById(first.instanceId);
    const second = await filled(at);
    expect(second.instanceId).not.toBe(first.instanceId);
    expect((await ec2.world.describe(second.instanceId)).State?.Name).toBe("running");
  });

  test("that still ends is waited for before another one gets its interface", async () => {
    const first = await filled();
    ec2.faults.add({
      action: "RunInstances",
      effect: { kind: "error", code: "InvalidNetworkInterface.InUse", statusCode: 400 },
    });
    await compute.removeInstanceById(first.instanceId);
    const second = await filled();
    expect(second.instanceId).not.toBe(first.instanceId);
  });

  test("that is stopped starts again instead of another one", async () => {
    const first = await filled();
    await compute.stopInstance(first.instanceId, 5);
    const again = await compute.ensureInstance({ ...place, generation: operationId }, first);
    expect(again.instanceId).toBe(first.instanceId);
    expect((await ec2.world.describe(first.instanceId)).State?.Name).toBe("running");
  });

  test("of another type is neither ended nor passed off as the one that is wanted", async () => {
    const first = await filled();
    const call = compute.ensureInstance(place, { ...first, instanceType: "t4g.medium" });
    await expect(call).rejects.toThrow(`has instance ${first.instanceId} already, a t4g.small`);
    expect(await instances()).toHaveLength(1);
  });

  test("that is removed twice, or never was, is removed", async () => {
    const { instanceId } = await filled();
    await compute.removeInstanceById(instanceId);
    await compute.removeInstanceById(instanceId);
    await compute.removeInstanceById("i-0123456789abcdef0");
    expect((await instances()).map((one) => one.State?.Name)).toEqual(["terminated"]);
  });
});

describe("what is removed by its id", () => {
  test("goes alone, and once", async () => {
    const parts = await made();
    const kept = await made({ ...place, generation: operationId });
    for (let times = 0; times < 2; times++) {
      await compute.removeVolumeById(parts.volumeId);
      await compute.removeNetworkInterfaceById(parts.networkInterfaceId);
    }
    expect(await compute.survey(clusterId, [])).toMatchObject({
      volumes: [{ volumeId: kept.volumeId }],
      networkInterfaces: [{ networkInterfaceId: kept.networkInterfaceId }],
    });
  });

  test("is not torn from an instance that runs", async () => {
    const { volumeId, networkInterfaceId, instanceId } = await filled();
    await expect(compute.removeVolumeById(volumeId)).rejects.toThrow("did not happen within 1 s");
    await expect(compute.removeNetworkInterfaceById(networkInterfaceId)).rejects.toThrow("did not happen");
    expect((await ec2.world.describe(instanceId)).State?.Name).toBe("running");
  });
});

describe("a survey", () => {
  test("tells what there is of a cluster, by node, and nothing of other clusters", async () => {
    const one = await filled();
    const other = await filled({ ...place, nodeId: otherNodeId, zone: zones[1] });
    const found = await compute.survey(clusterId, [amongNodes]);
    expect(found.securityRules).toBe("current");
    expect(found.instances).toHaveLength(2);
    expect(found.instances).toContainEqual({
      instanceId: other.instanceId,
      nodeId: otherNodeId,
      instanceType,
      state: "running",
    });
    expect(found.volumes).toContainEqual({ volumeId: one.volumeId, nodeId, sizeGiB: 2 });
    expect(found.networkInterfaces).toHaveLength(2);
    expect(await compute.survey("clu_01JD3V9Q0CZ5J8W6T4S2R1N7KZ", [])).toEqual({
      instances: [],
      volumes: [],
      networkInterfaces: [],
      securityRules: "stale",
    });
  });
});

describe("a volume", () => {
  test("grows while its instance runs, and once", async () => {
    const { volumeId } = await filled();
    await compute.growVolume(volumeId, 5);
    await compute.growVolume(volumeId, 5);
    await compute.growVolume(volumeId, 3);
    expect((await compute.survey(clusterId, [])).volumes).toEqual([{ volumeId, nodeId, sizeGiB: 5 }]);
    expect(ec2.recorder.list({ action: "ModifyVolume" })).toHaveLength(1);
  });

  test.each(["VolumeModificationRateExceeded", "IncorrectModificationState"])(
    "that EC2 does not let change yet (%s) says so, with EC2's own words",
    async (code) => {
      const { volumeId } = await made();
      const message = "You've reached the maximum modification rate per volume limit.";
      ec2.faults.add({ action: "ModifyVolume", effect: { kind: "error", code, message, statusCode: 400 } });
      await expect(compute.growVolume(volumeId, 5)).rejects.toMatchObject({
        code: "volume-modified-recently",
        message: expect.stringContaining(message),
      });
      await compute.growVolume(volumeId, 5);
    },
  );

  test("that is gone cannot grow", async () => {
    await expect(compute.growVolume("vol-0123456789abcdef0", 5)).rejects.toThrow("is gone");
  });
});

describe("security rules", () => {
  const old = [amongNodes, fromAnywhere(5432), fromAnywhere(6432)];
  const wanted = [amongNodes, fromAnywhere(6432), fromAnywhere(7000)];
  const rulesThere = async () => {
    const answer = await ec2.client.send(
      new DescribeSecurityGroupsCommand({
        Filters: [{ Name: "tag:pgherd:cluster", Values: [clusterId] }],
      }),
    );
    return (answer.SecurityGroups?.[0]?.IpPermissions ?? [])
      .map((one) => `${one.FromPort} from ${one.IpRanges?.[0]?.CidrIp ?? "itself"}`)
      .sort();
  };

  test("become those of the spec: what is missing comes before what is too much goes", async () => {
    await compute.ensureSecurityGroup(clusterId, old);
    expect((await compute.survey(clusterId, wanted)).securityRules).toBe("stale");
    await compute.applySecurityRules(clusterId, wanted);
    expect(await rulesThere()).toEqual(["2379 from itself", "6432 from 0.0.0.0/0", "7000 from 0.0.0.0/0"]);
    expect((await compute.survey(clusterId, wanted)).securityRules).toBe("current");
    const changes = ec2.recorder
      .list()
      .map((call) => call.action)
      .filter((name) => name.endsWith("Ingress"));
    expect(changes.slice(-2)).toEqual(["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]);
  });

  test("that someone added by hand go", async () => {
    const { securityGroupId } = await compute.ensureSecurityGroup(clusterId, old);
    await ec2.client.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: securityGroupId,
        IpPermissions: [
          { IpProtocol: "-1", IpRanges: [{ CidrIp: "203.0.113.7/32", Description: "a debugger" }] },
        ],
      }),
    );
    await compute.applySecurityRules(clusterId, old);
    expect((await compute.survey(clusterId, old)).securityRules).toBe("current");
  });

  test("are applied again after a change that was interrupted", async () => {
    await compute.ensureSecurityGroup(clusterId, old);
    for (const action of ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]) {
      ec2.faults.add({ action, effect: { kind: "drop-answer" } });
    }
    await compute.applySecurityRules(clusterId, wanted);
    expect((await compute.survey(clusterId, wanted)).securityRules).toBe("current");
  });
});
