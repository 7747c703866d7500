import { macAddressOf, parseAddress, parseNetwork } from "../../machines/addresses.ts";
import { ServiceError } from "../service.ts";
import { type Ec2Context, zoneId } from "./context.ts";
import { invalidValue, notFound } from "./errors.ts";
import { newId } from "./ids.ts";
import { type Input, requiredText, text, textList } from "./input.ts";
import { filtered, paged, selected } from "./listing.ts";
import type { Ec2State, InterfaceRecord, SubnetRecord } from "./state.ts";
import { renderTags, tagsFor } from "./tags.ts";
import { once } from "./tokens.ts";
import { freeAddresses } from "./vpcs.ts";

export async function createNetworkInterface(
  context: Ec2Context,
  input: Input,
): Promise<Record<string, unknown>> {
  const { state } = context;
  const { answer, fresh } = once(
    state,
    { action: "CreateNetworkInterface", input, now: context.now() },
    () => {
      const made = newInterface(context, input);
      state.interfaces.put(made.networkInterfaceId, made);
      return { resourceId: made.networkInterfaceId, answer: answerOf(context, input, made) };
    },
    (id) => {
      const present = state.interfaces.get(id);
      return present === undefined ? undefined : answerOf(context, input, present);
    },
  );
  // The new address is let in wherever its groups are.
  if (fresh) await context.machines.refreshIngress(groupsGiven(input));
  return answer;
}

function groupsGiven(input: Input): readonly string[] {
  return textList(input, "SecurityGroupId");
}

function answerOf(context: Ec2Context, input: Input, made: InterfaceRecord): Record<string, unknown> {
  return {
    networkInterface: renderInterface(context, made),
    clientToken: text(input, "ClientToken") ?? undefined,
  };
}

function newInterface(context: Ec2Context, input: Input): InterfaceRecord {
  const { state } = context;
  const subnetId = requiredText(input, "SubnetId");
  const subnet = state.subnets.get(subnetId);
  if (subnet === undefined) throw notFound("subnet", subnetId);
  const networkInterfaceId = newId("network-interface");
  return {
    networkInterfaceId,
    subnetId,
    vpcId: subnet.vpcId,
    zone: subnet.zone,
    address: chosenAddress(context, subnet, text(input, "PrivateIpAddress")),
    macAddress: macAddressOf(networkInterfaceId),
    description: text(input, "Description") ?? "",
    groupIds: chosenGroups(state, subnet, groupsGiven(input)),
    attachment: null,
    tags: tagsFor("network-interface", input),
  };
}

function chosenAddress(context: Ec2Context, subnet: SubnetRecord, wanted: string | null): string {
  if (wanted === null) {
    const first = freeAddresses(context, subnet).next();
    if (first.done === true) {
      throw new ServiceError(
        "InsufficientFreeAddressesInSubnet",
        `There are not enough free addresses in subnet '${subnet.subnetId}' to satisfy the requested number of instances.`,
      );
    }
    return first.value;
  }
  checkInside(subnet, wanted);
  for (const address of freeAddresses(context, subnet)) if (address === wanted) return wanted;
  throw new ServiceError("InvalidIPAddress.InUse", `The address ${wanted} is in use.`);
}

function checkInside(subnet: SubnetRecord, address: string): void {
  const { first, last } = parseNetwork(subnet.cidr);
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(address)) throw invalidValue("PrivateIpAddress", address);
  const value = parseAddress(address);
  if (value < first || value > last) {
    throw invalidValue(
      "PrivateIpAddress",
      address,
      `Address ${address} does not fall within the subnet's address range`,
    );
  }
}

/** Without a group an interface is in the default group of its VPC. */
function chosenGroups(state: Ec2State, subnet: SubnetRecord, wanted: readonly string[]): readonly string[] {
  for (const groupId of wanted) {
    const group = state.groups.get(groupId);
    if (group === undefined || group.vpcId !== subnet.vpcId) throw notFound("security-group", groupId);
  }
  const vpc = state.vpcs.get(subnet.vpcId);
  if (wanted.length > 0 || vpc === undefined) return wanted;
  return [vpc.defaultGroupId];
}

export async function deleteNetworkInterface(
  context: Ec2Context,
  input: Input,
): Promise<Record<string, unknown>> {
  const id = requiredText(input, "NetworkInterfaceId");
  const found = context.state.interfaces.get(id);
  if (found === undefined) throw notFound("network-interface", id);
  if (found.attachment !== null) {
    throw new ServiceError(
      "InvalidNetworkInterface.InUse",
      `The network interface '${id}' is currently in use.`,
    );
  }
  context.state.interfaces.delete(id);
  await context.machines.refreshIngress(found.groupIds);
  return { return: true };
}

export function describeNetworkInterfaces(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const interfaces = selected(
    textList(input, "NetworkInterfaceId"),
    () => state.interfaces.list(),
    (id) => state.interfaces.get(id),
    (id) => notFound("network-interface", id),
  );
  const matching = filtered(interfaces, input, attributesOf(context), (one) => one.tags, knownFilters);
  const { items, nextToken } = paged(matching, input, (one) => one.networkInterfaceId);
  return { networkInterfaceSet: items.map((one) => renderInterface(context, one)), nextToken };
}

const knownFilters = [
  ...[
    "network-interface-id",
    "subnet-id",
    "vpc-id",
    "availability-zone",
    "private-ip-address",
    "mac-address",
  ],
  ...["addresses.private-ip-address", "group-id", "group-name", "status", "description", "owner-id"],
  ...["attachment.instance-id", "attachment.attachment-id", "attachment.status", "attachment.device-index"],
  ...["private-dns-name", "interface-type", "availability-zone-id"],
];

function attributesOf(context: Ec2Context) {
  return (one: InterfaceRecord) => ({
    "network-interface-id": [one.networkInterfaceId],
    "subnet-id": [one.subnetId],
    "vpc-id": [one.vpcId],
    "availability-zone": [one.zone],
    "availability-zone-id": [zoneId(context, one.zone)],
    "private-ip-address": [one.address],
    "addresses.private-ip-address": [one.address],
    "mac-address": [one.macAddress],
    "group-id": one.groupIds,
    "group-name": one.groupIds.map((id) => context.state.groups.get(id)?.groupName ?? id),
    status: [statusOf(one)],
    description: [one.description],
    "owner-id": [context.account],
    "interface-type": ["interface"],
    "private-dns-name": [dnsName(context, one.address)],
    "attachment.instance-id": one.attachment === null ? [] : [one.attachment.instanceId],
    "attachment.attachment-id": one.attachment === null ? [] : [one.attachment.attachmentId],
    "attachment.status": one.attachment === null ? [] : ["attached"],
    "attachment.device-index": one.attachment === null ? [] : [0],
  });
}

function statusOf(one: InterfaceRecord): string {
  return one.attachment === null ? "available" : "in-use";
}

export function hostnameOf(address: string): string {
  return `ip-${address.replaceAll(".", "-")}`;
}

export function dnsName(context: Pick<Ec2Context, "region">, address: string): string {
  return `${hostnameOf(address)}.${context.region}.compute.internal`;
}

export function renderGroups(context: Ec2Context, one: InterfaceRecord): Record<string, unknown>[] {
  return one.groupIds.map((groupId) => ({
    groupId,
    groupName: context.state.groups.get(groupId)?.groupName ?? groupId,
  }));
}

/** What an interface looks like both by itself and as a part of its instance. */
export function renderInterfaceCore(context: Ec2Context, one: InterfaceRecord): Record<string, unknown> {
  const privateDnsName = dnsName(context, one.address);
  return {
    networkInterfaceId: one.networkInterfaceId,
    subnetId: one.subnetId,
    vpcId: one.vpcId,
    description: one.description,
    ownerId: context.account,
    status: statusOf(one),
    macAddress: one.macAddress,
    privateIpAddress: one.address,
    privateDnsName,
    privateIpAddressesSet: [{ privateIpAddress: one.address, privateDnsName, primary: true }],
    sourceDestCheck: true,
    interfaceType: "interface",
    groupSet: renderGroups(context, one),
    ipv6AddressesSet: [],
  };
}

export function renderAttachment(one: InterfaceRecord): Record<string, unknown> | undefined {
  if (one.attachment === null) return undefined;
  return {
    attachmentId: one.attachment.attachmentId,
    attachTime: one.attachment.attachedAt,
    deleteOnTermination: one.attachment.deleteOnTermination,
    deviceIndex: 0,
    networkCardIndex: 0,
    status: "attached",
  };
}

function renderInterface(context: Ec2Context, one: InterfaceRecord): Record<string, unknown> {
  const attachment = renderAttachment(one);
  return {
    ...renderInterfaceCore(context, one),
    availabilityZone: one.zone,
    availabilityZoneId: zoneId(context, one.zone),
    requesterManaged: false,
    tagSet: renderTags(one.tags),
    ...(attachment === undefined
      ? {}
      : {
          attachment: {
            ...attachment,
            instanceId: one.attachment?.instanceId,
            instanceOwnerId: context.account,
          },
        }),
  };
}
