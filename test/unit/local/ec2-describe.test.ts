import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  DescribeVpcsCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeOf, type Ec2, startEc2 } from "./support/ec2.ts";

let ec2: Ec2;
beforeAll(async () => {
  ec2 = await startEc2();
});
afterAll(async () => {
  await ec2.close();
});

describe("filters", () => {
  test("by tag, state and zone find exactly the instances that match all of them", async () => {
    const first = await ec2.world.running([], 0);
    const second = await ec2.world.running([], 1);
    await ec2.client.send(
      new CreateTagsCommand({
        Resources: [first.id, second.id],
        Tags: [{ Key: "pgherd:cluster", Value: "clu_1" }],
      }),
    );
    const find = async (zone: string, cluster: string) => {
      const answer = await ec2.client.send(
        new DescribeInstancesCommand({
          Filters: [
            { Name: "tag:pgherd:cluster", Values: [cluster] },
            { Name: "instance-state-name", Values: ["running", "pending"] },
            { Name: "availability-zone", Values: [zone] },
          ],
        }),
      );
      return (answer.Reservations ?? []).flatMap((one) => one.Instances?.map((i) => i.InstanceId));
    };
    expect(await find("local-1a", "clu_1")).toEqual([first.id]);
    expect(await find("local-1b", "clu_?")).toEqual([second.id]);
    expect(await find("local-1b", "clu_2")).toEqual([]);
    expect(await find("*", "clu_*")).toHaveLength(2);
  });

  test("that EC2 does not know are refused", async () => {
    const call = ec2.client.send(
      new DescribeInstancesCommand({ Filters: [{ Name: "colour", Values: ["blue"] }] }),
    );
    expect(await codeOf(call)).toBe("InvalidParameterValue");
  });

  test("find interfaces and volumes by their instance", async () => {
    const { id, interfaceId } = await ec2.world.running();
    const volumeId = await ec2.world.volume();
    await ec2.world.attach(volumeId, id);
    const Filters = [{ Name: "attachment.instance-id", Values: [id] }];
    const interfaces = await ec2.client.send(new DescribeNetworkInterfacesCommand({ Filters }));
    expect(interfaces.NetworkInterfaces?.map((one) => one.NetworkInterfaceId)).toEqual([interfaceId]);
    const volumes = await ec2.client.send(new DescribeVolumesCommand({ Filters }));
    expect(volumes.Volumes?.map((one) => one.VolumeId)).toEqual([volumeId]);
  });
});

describe("what does not exist", () => {
  test.each([
    ["i-0123456789abcdef0", "InvalidInstanceID.NotFound"],
    ["nonsense", "InvalidInstanceID.Malformed"],
  ])("instance %s: %s", async (id, code) => {
    const call = ec2.client.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    expect(await codeOf(call)).toBe(code);
  });

  test("a volume, an interface and a group each have their own code", async () => {
    const missing = (id: string) => `${id}-0123456789abcdef0`;
    const volume = ec2.client.send(new DescribeVolumesCommand({ VolumeIds: [missing("vol")] }));
    expect(await codeOf(volume)).toBe("InvalidVolume.NotFound");
    const networkInterface = ec2.client.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [missing("eni")] }),
    );
    expect(await codeOf(networkInterface)).toBe("InvalidNetworkInterfaceID.NotFound");
    const group = ec2.client.send(new DescribeSecurityGroupsCommand({ GroupIds: [missing("sg")] }));
    expect(await codeOf(group)).toBe("InvalidGroup.NotFound");
  });
});

test("pages hold what was asked for, and together everything once", async () => {
  for (let count = 0; count < 12; count += 1) await ec2.world.networkInterface([], 2);
  const Filters = [{ Name: "availability-zone", Values: ["local-1c"] }];
  const seen: (string | undefined)[] = [];
  let token: string | undefined;
  const sizes: number[] = [];
  do {
    const answer = await ec2.client.send(
      new DescribeNetworkInterfacesCommand({
        Filters,
        MaxResults: 5,
        ...(token ? { NextToken: token } : {}),
      }),
    );
    sizes.push(answer.NetworkInterfaces?.length ?? 0);
    seen.push(...(answer.NetworkInterfaces ?? []).map((one) => one.NetworkInterfaceId));
    token = answer.NextToken;
  } while (token !== undefined);
  expect(sizes).toEqual([5, 5, 2]);
  expect(new Set(seen).size).toBe(12);
});

test("a page size outside of EC2's limits is refused", async () => {
  const call = ec2.client.send(new DescribeInstancesCommand({ MaxResults: 4 }));
  expect(await codeOf(call)).toBe("InvalidParameterValue");
});

test("addresses come from the zone's subnet, the first after EC2's own, and never twice", async () => {
  const fresh = await startEc2();
  const interfaces = [];
  for (let count = 0; count < 3; count += 1) interfaces.push(await fresh.world.networkInterface([], 1));
  expect(interfaces.map((one) => one.address)).toEqual(["198.18.1.4", "198.18.1.5", "198.18.1.6"]);
  await fresh.close();
});

test("the network and the launch template look like the template that made them", async () => {
  const vpcs = await ec2.client.send(new DescribeVpcsCommand({}));
  expect(vpcs.Vpcs?.[0]).toMatchObject({ VpcId: ec2.vpcId, CidrBlock: "198.18.0.0/22", State: "available" });
  const subnets = await ec2.client.send(
    new DescribeSubnetsCommand({ Filters: [{ Name: "vpc-id", Values: [ec2.vpcId] }] }),
  );
  expect(subnets.Subnets?.map((one) => one.SubnetId).sort()).toEqual([...ec2.subnets].sort());
  const templates = await ec2.client.send(
    new DescribeLaunchTemplatesCommand({ LaunchTemplateNames: ["node"] }),
  );
  expect(templates.LaunchTemplates?.[0]).toMatchObject({ LatestVersionNumber: 1, DefaultVersionNumber: 1 });
  const versions = await ec2.client.send(
    new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateName: "node", Versions: ["$Latest"] }),
  );
  expect(versions.LaunchTemplateVersions?.[0]?.LaunchTemplateData?.ImageId).toBe("ami-00010ca1");
  const types = await ec2.client.send(new DescribeInstanceTypesCommand({ InstanceTypes: ["t4g.small"] }));
  expect(types.InstanceTypes?.[0]?.MemoryInfo?.SizeInMiB).toBe(2048);
});

test("a template deployed again keeps its ids; other data is another version of the launch template", () => {
  const again = ec2.ec2.ensureVpc("Vpc", { CidrBlock: "198.18.0.0/22" });
  expect(again.vpcId).toBe(ec2.vpcId);
  const data = { ImageId: "ami-00010ca1", InstanceType: "t4g.medium" };
  const template = ec2.ec2.ensureLaunchTemplate("Node", {
    LaunchTemplateName: "node",
    LaunchTemplateData: data,
  });
  expect(template).toMatchObject({ launchTemplateId: ec2.launchTemplateId, latestVersionNumber: "2" });
});

test("tags of all kinds of resources are listed", async () => {
  const { id } = await ec2.world.networkInterface();
  await ec2.client.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: "colour", Value: "blue" }] }));
  const answer = await ec2.client.send(
    new DescribeTagsCommand({ Filters: [{ Name: "resource-id", Values: [id] }] }),
  );
  expect(answer.Tags).toEqual([
    { Key: "colour", ResourceId: id, ResourceType: "network-interface", Value: "blue" },
  ]);
});
