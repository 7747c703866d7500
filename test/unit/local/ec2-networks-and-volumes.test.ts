import {
  AttachVolumeCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateVolumeCommand,
  DeleteNetworkInterfaceCommand,
  DeleteSecurityGroupCommand,
  DeleteVolumeCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  DescribeVolumesModificationsCommand,
  DetachVolumeCommand,
  ModifyVolumeCommand,
  RevokeSecurityGroupIngressCommand,
} from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { codeOf, type Ec2, startEc2 } from "./support/ec2.ts";

let ec2: Ec2;
beforeEach(async () => {
  ec2 = await startEc2();
});
afterEach(async () => {
  await ec2.close();
});

function fromRange(groupId: string, port: number, cidr: string) {
  return {
    GroupId: groupId,
    IpPermissions: [{ IpProtocol: "tcp", FromPort: port, ToPort: port, IpRanges: [{ CidrIp: cidr }] }],
  };
}

function fromGroup(groupId: string, port: number, source: string) {
  return {
    GroupId: groupId,
    IpPermissions: [
      { IpProtocol: "tcp", FromPort: port, ToPort: port, UserIdGroupPairs: [{ GroupId: source }] },
    ],
  };
}

describe("security groups", () => {
  test("let a machine be reached by what their rules say, from its boot on and after each change", async () => {
    const groupId = await ec2.world.group();
    await ec2.client.send(new AuthorizeSecurityGroupIngressCommand(fromRange(groupId, 5432, "10.0.0.0/8")));
    const { id } = await ec2.world.running([groupId]);
    const first = { protocol: "tcp", fromPort: 5432, toPort: 5432, cidrs: ["10.0.0.0/8"] };
    expect(ec2.driver.ingress.get(id)).toEqual([first]);
    const second = fromRange(groupId, 8008, "0.0.0.0/0");
    await ec2.client.send(new AuthorizeSecurityGroupIngressCommand(second));
    expect(ec2.driver.ingress.get(id)).toHaveLength(2);
    await ec2.client.send(new RevokeSecurityGroupIngressCommand(second));
    expect(ec2.driver.ingress.get(id)).toEqual([first]);
  });

  test("as a source mean the addresses of their interfaces, as they come and go", async () => {
    const groupId = await ec2.world.group();
    await ec2.client.send(new AuthorizeSecurityGroupIngressCommand(fromGroup(groupId, 2380, groupId)));
    const { id, address } = await ec2.world.running([groupId]);
    const cidrs = () => ec2.driver.ingress.get(id)?.[0]?.cidrs;
    expect(cidrs()).toEqual([address]);
    const peer = await ec2.world.networkInterface([groupId]);
    expect([...(cidrs() ?? [])].sort()).toEqual([address, peer.address].sort());
    await ec2.client.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: peer.id }));
    expect(cidrs()).toEqual([address]);
  });

  test("let members of another group in, and stay while a rule names them", async () => {
    const [groupId, clients] = [await ec2.world.group("nodes"), await ec2.world.group("clients")];
    const { id } = await ec2.world.running([groupId]);
    const cidrs = () => ec2.driver.ingress.get(id)?.map((one) => one.cidrs);
    const rule = fromGroup(groupId, 5000, clients);
    await ec2.client.send(new AuthorizeSecurityGroupIngressCommand(rule));
    expect(cidrs()).toEqual([[]]);
    const { id: member, address } = await ec2.world.networkInterface([clients]);
    expect(cidrs()).toEqual([[address]]);
    const Filters = [{ Name: "ip-permission.group-id", Values: [clients] }];
    const { SecurityGroups } = await ec2.client.send(new DescribeSecurityGroupsCommand({ Filters }));
    expect(SecurityGroups?.map(({ GroupId }) => GroupId)).toEqual([groupId]);
    await ec2.client.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: member }));
    const remove = () => ec2.client.send(new DeleteSecurityGroupCommand({ GroupId: clients }));
    expect(await codeOf(remove())).toBe("DependencyViolation");
    await ec2.client.send(new RevokeSecurityGroupIngressCommand(rule));
    expect(cidrs()).toEqual([]);
    expect(await codeOf(remove())).toBe("(succeeded)");
  });

  test("are no source in another VPC, and none twice in one call", async () => {
    const groupId = await ec2.world.group();
    const elsewhere = ec2.ec2.ensureVpc("Elsewhere", { CidrBlock: "198.18.8.0/22" }).defaultSecurityGroupId;
    const authorize = (...sources: string[]) =>
      codeOf(
        ec2.client.send(
          new AuthorizeSecurityGroupIngressCommand({
            GroupId: groupId,
            IpPermissions: sources.flatMap((source) => fromGroup(groupId, 5000, source).IpPermissions),
          }),
        ),
      );
    expect(await authorize(elsewhere)).toBe("InvalidGroup.NotFound");
    expect(await authorize(groupId, groupId)).toBe("InvalidParameterValue");
    expect(await authorize(groupId)).toBe("(succeeded)");
  });

  test("refuse a rule that is there, and forget none of those that were", async () => {
    const groupId = await ec2.world.group();
    const rule = fromRange(groupId, 5432, "10.0.0.0/8");
    await ec2.client.send(new AuthorizeSecurityGroupIngressCommand(rule));
    expect(await codeOf(ec2.client.send(new AuthorizeSecurityGroupIngressCommand(rule)))).toBe(
      "InvalidPermission.Duplicate",
    );
    const answer = await ec2.client.send(new DescribeSecurityGroupsCommand({ GroupIds: [groupId] }));
    expect(answer.SecurityGroups?.[0]?.IpPermissions).toHaveLength(1);
    expect(answer.SecurityGroups?.[0]?.IpPermissions?.[0]).toMatchObject({
      IpProtocol: "tcp",
      FromPort: 5432,
      IpRanges: [{ CidrIp: "10.0.0.0/8" }],
    });
  });

  test("have unique names in a VPC", async () => {
    await ec2.world.group("twice");
    expect(await codeOf(ec2.world.group("twice"))).toBe("InvalidGroup.Duplicate");
  });

  test("cannot be deleted while an interface is in them", async () => {
    const groupId = await ec2.world.group();
    const { id } = await ec2.world.networkInterface([groupId]);
    const remove = () => ec2.client.send(new DeleteSecurityGroupCommand({ GroupId: groupId }));
    expect(await codeOf(remove())).toBe("DependencyViolation");
    await ec2.client.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: id }));
    expect(await codeOf(remove())).toBe("(succeeded)");
    expect(await codeOf(remove())).toBe("InvalidGroup.NotFound");
  });

  test.each([
    ["10.0.0.0/33", 5432, 5432],
    ["ten", 5432, 5432],
    ["10.0.0.0/8", 5433, 5432],
    ["10.0.0.0/8", 0, 70_000],
  ])("refuse a rule from %s for ports %i-%i", async (cidr, fromPort, toPort) => {
    const groupId = await ec2.world.group();
    const call = ec2.client.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: groupId,
        IpPermissions: [
          { IpProtocol: "tcp", FromPort: fromPort, ToPort: toPort, IpRanges: [{ CidrIp: cidr }] },
        ],
      }),
    );
    expect(await codeOf(call)).toBe("InvalidParameterValue");
  });
});

describe("volumes", () => {
  test("are made, attached, detached and deleted", async () => {
    const { id } = await ec2.world.running();
    const volumeId = await ec2.world.volume(3);
    expect(ec2.driver.volumes.get(volumeId)).toBe(3);
    await ec2.world.attach(volumeId, id);
    expect(ec2.driver.attached.get(volumeId)).toBe(id);
    const deleted = () => ec2.client.send(new DeleteVolumeCommand({ VolumeId: volumeId }));
    expect(await codeOf(deleted())).toBe("VolumeInUse");
    expect(await codeOf(ec2.world.attach(volumeId, id))).toBe("VolumeInUse");
    await ec2.client.send(new DetachVolumeCommand({ VolumeId: volumeId }));
    expect(ec2.driver.attached.size).toBe(0);
    await deleted();
    expect(ec2.driver.volumes.size).toBe(0);
    expect(await codeOf(deleted())).toBe("InvalidVolume.NotFound");
  });

  test("attach only to an instance of their zone, and only where a name is free", async () => {
    const { id } = await ec2.world.running([], 0);
    const elsewhere = await ec2.world.volume(1, 1);
    expect(await codeOf(ec2.world.attach(elsewhere, id))).toBe("InvalidVolume.ZoneMismatch");
    await ec2.world.attach(await ec2.world.volume(), id);
    const second = new AttachVolumeCommand({
      VolumeId: await ec2.world.volume(),
      InstanceId: id,
      Device: "/dev/sdf",
    });
    expect(await codeOf(ec2.client.send(second))).toBe("InvalidParameterValue");
  });

  test("are one for one client token", async () => {
    const create = (size: number) =>
      ec2.client.send(
        new CreateVolumeCommand({ AvailabilityZone: "local-1a", Size: size, ClientToken: "v" }),
      );
    const first = await create(1);
    expect((await create(1)).VolumeId).toBe(first.VolumeId);
    expect(await codeOf(create(2))).toBe("IdempotentParameterMismatch");
    const all = await ec2.client.send(new DescribeVolumesCommand({}));
    expect(all.Volumes).toHaveLength(1);
  });

  test("grow and never shrink", async () => {
    const volumeId = await ec2.world.volume(2);
    await ec2.client.send(new ModifyVolumeCommand({ VolumeId: volumeId, Size: 4 }));
    expect(ec2.driver.volumes.get(volumeId)).toBe(4);
    const shrink = ec2.client.send(new ModifyVolumeCommand({ VolumeId: volumeId, Size: 1 }));
    expect(await codeOf(shrink)).toBe("InvalidParameterValue");
  });

  test("are modified four times a day at most, and tell of the last time", async () => {
    const volumeId = await ec2.world.volume(1);
    const modify = (size: number) =>
      ec2.client.send(new ModifyVolumeCommand({ VolumeId: volumeId, Size: size }));
    const told = () => ec2.client.send(new DescribeVolumesModificationsCommand({ VolumeIds: [volumeId] }));
    expect(await codeOf(told())).toBe("InvalidVolumeModification.NotFound");
    for (const size of [2, 3, 4, 5]) await modify(size);
    expect(await codeOf(modify(6))).toBe("VolumeModificationRateExceeded");
    expect((await told()).VolumesModifications).toMatchObject([
      { ModificationState: "completed", OriginalSize: 4, TargetSize: 5 },
    ]);
    expect(ec2.driver.volumes.get(volumeId)).toBe(5);
  });
});
