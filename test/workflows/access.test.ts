import { DescribeSecurityGroupsCommand, EC2Client } from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { clientSourcesMax, type Operation } from "../../layers/domain/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { expectConverged, openConverging } from "../world/converging.ts";
import { useDynamoDB } from "../world/dynamodb.ts";

const dynamodb = useDynamoDB();

const clientPorts = ["5000-5002", "6432-6432"];
const changesOfRules = ({ steps }: Operation): string[] =>
  steps.map(({ name }) => name).filter((name) => name.includes("security rules"));

async function groupOf({ operator, ports }: Cloud, clusterId: string) {
  using client = new EC2ClientToClose(operator);
  const Filters = [{ Name: "tag:pgherd:cluster", Values: [clusterId] }];
  const { SecurityGroups = [] } = await client.send(new DescribeSecurityGroupsCommand({ Filters }));
  const [{ GroupId: id = "", IpPermissions = [] } = {}] = SecurityGroups;
  const from = (source: string): string[] =>
    IpPermissions.filter((one) => one.UserIdGroupPairs?.some(({ GroupId }) => GroupId === source))
      .map(({ FromPort, ToPort }) => `${FromPort}-${ToPort}`)
      .toSorted();
  const cidrs = IpPermissions.filter(({ FromPort }) => FromPort === 5000).flatMap(({ IpRanges = [] }) =>
    IpRanges.map(({ CidrIp }) => CidrIp),
  );
  return { id, from, cidrs, watching: ports.settings.monitoring.securityGroupId };
}

class EC2ClientToClose extends EC2Client {
  [Symbol.dispose](): void {
    this.destroy();
  }
}

test("members of a group that a create names reach the client ports alone, and the environment's networks do not", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const first = await plane.create({ name: "orders", members: 1 });
  const { id } = await groupOf(cloud, first.operation.clusterId);
  const access = { securityGroupIds: [id] };
  const second = await plane.create({ name: "invoices", members: 1, access });
  expect(second.operation.state).toBe("succeeded");
  const invoices = await groupOf(cloud, second.operation.clusterId);
  expect(invoices.from(id)).toEqual(clientPorts);
  expect(invoices.cidrs).toEqual([]);
});

test("groups come and go with the spec, and what is so already changes nothing", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 1 });
  const read = () => groupOf(cloud, world.clusterId);
  const { id: own, watching } = await read();
  const metrics = (await read()).from(watching);
  // The cluster's own group is a source already: naming it is no rule more.
  const access = { cidrs: ["203.0.113.0/24"], securityGroupIds: [watching, own] };
  expect(changesOfRules(await world.converge({ access }))).toHaveLength(1);
  await expectConverged(world);
  expect((await read()).from(watching)).toEqual([...clientPorts, ...metrics].toSorted());
  expect((await read()).cidrs).toEqual(["203.0.113.0/24"]);

  expect(changesOfRules(await world.converge({ access }))).toEqual([]);

  expect(changesOfRules(await world.converge({ access: { cidrs: [], securityGroupIds: [] } }))).toHaveLength(
    1,
  );
  await expectConverged(world);
  expect((await read()).from(watching)).toEqual(metrics);
  expect((await read()).cidrs).toEqual(cloud.ports.settings.defaultClientCidrs);
});

test("as many networks as a spec takes are exchanged for as many others", async () => {
  await using cloud = await openCloud(dynamodb);
  const blocks = (third: number) =>
    Array.from({ length: clientSourcesMax }, (_, index) => `10.${index}.${third}.0/24`);
  const world = await openConverging(cloud, { members: 1, access: { cidrs: blocks(0) } });
  const after = { cidrs: blocks(1), securityGroupIds: [] };
  expect((await world.converge({ access: after })).state).toBe("succeeded");
  expect((await groupOf(cloud, world.clusterId)).cidrs).toEqual(after.cidrs);
});

test("a change of who may connect configures no node", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await openConverging(cloud, { members: 3 });
  const access = { cidrs: ["203.0.113.0/24"], securityGroupIds: [] };
  expect((await world.converge({ access })).state).toBe("succeeded");
  await expectConverged(world);
  expect(world.paper.done.filter((one) => one.startsWith("configure"))).toEqual([]);
});

test("a delete of a cluster whose group another one names fails with the name of that group, and ends once it is let go", async () => {
  await using cloud = await openCloud(dynamodb);
  const plane = new ControlPlane(cloud);
  const orders = (await plane.create({ name: "orders", members: 1 })).operation.clusterId;
  const { id } = await groupOf(cloud, orders);
  const access = { securityGroupIds: [id] };
  const reader = (await plane.create({ name: "reader", members: 1, access })).operation.clusterId;
  const readers = await groupOf(cloud, reader);
  expect(await cloud.ports.compute.securityGroupUse(orders)).toEqual({
    securityGroupId: id,
    namedBy: [{ securityGroupId: readers.id, clusterId: reader }],
  });
  const failed = await plane.delete(orders);
  expect(failed).toMatchObject({ state: "failed", error: { code: "security-group-in-use" } });
  expect(failed.error?.message).toContain(readers.id);
  expect((await plane.delete(reader)).state).toBe("succeeded");
  expect((await plane.delete(orders)).state).toBe("succeeded");
  expect(await cloud.leftovers()).toEqual([]);
});

test("a group that is not there, and one of another network, are told from those that rules can name", async () => {
  await using cloud = await openCloud(dynamodb);
  const { vpcId } = cloud.ec2.ensureVpc("Other", { CidrBlock: "198.18.4.0/22" });
  const there = cloud.ports.settings.monitoring.securityGroupId;
  const other = cloud.ec2.ensureSecurityGroup("Others", { VpcId: vpcId, GroupDescription: "others" }).groupId;
  const gone = "sg-00000000000000dea";
  expect(await cloud.ports.compute.unknownSecurityGroups([gone, there, other])).toEqual([gone, other]);
});
