import { formatAddress, parseNetwork } from "../../machines/addresses.ts";
import { type Ec2Context, zoneId } from "./context.ts";
import { notFound } from "./errors.ts";
import { type Input, textList } from "./input.ts";
import { filtered, paged, selected } from "./listing.ts";
import type { SubnetRecord, VpcRecord } from "./state.ts";
import { renderTags } from "./tags.ts";

/** EC2 keeps the first four addresses of a subnet and the last one for itself. */
const reservedFirst = 4;
const reservedLast = 1;

export function describeVpcs(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const vpcs = selected(
    textList(input, "VpcId"),
    () => state.vpcs.list(),
    (id) => state.vpcs.get(id),
    (id) => notFound("vpc", id),
  );
  const matching = filtered(
    vpcs,
    input,
    (vpc) => ({
      "vpc-id": [vpc.vpcId],
      cidr: [vpc.cidr],
      "cidr-block-association.cidr-block": [vpc.cidr],
      state: ["available"],
      "is-default": [false],
      "owner-id": [context.account],
    }),
    (vpc) => vpc.tags,
    ["vpc-id", "cidr", "cidr-block-association.cidr-block", "state", "is-default", "owner-id"],
  );
  const { items, nextToken } = paged(matching, input, (vpc) => vpc.vpcId);
  return { vpcSet: items.map((vpc) => renderVpc(context, vpc)), nextToken };
}

function renderVpc(context: Ec2Context, vpc: VpcRecord): Record<string, unknown> {
  return {
    vpcId: vpc.vpcId,
    state: "available",
    cidrBlock: vpc.cidr,
    ownerId: context.account,
    instanceTenancy: "default",
    isDefault: false,
    tagSet: renderTags(vpc.tags),
  };
}

export function describeSubnets(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const subnets = selected(
    textList(input, "SubnetId"),
    () => state.subnets.list(),
    (id) => state.subnets.get(id),
    (id) => notFound("subnet", id),
  );
  const matching = filtered(
    subnets,
    input,
    (subnet) => ({
      "subnet-id": [subnet.subnetId],
      "vpc-id": [subnet.vpcId],
      "availability-zone": [subnet.zone],
      availabilityZone: [subnet.zone],
      "availability-zone-id": [zoneId(context, subnet.zone)],
      cidr: [subnet.cidr],
      "cidr-block": [subnet.cidr],
      cidrBlock: [subnet.cidr],
      state: ["available"],
      "default-for-az": [false],
      "owner-id": [context.account],
    }),
    (subnet) => subnet.tags,
    [
      ...["subnet-id", "vpc-id", "availability-zone", "availabilityZone", "availability-zone-id", "cidr"],
      ...["cidr-block", "cidrBlock", "state", "default-for-az", "owner-id"],
    ],
  );
  const { items, nextToken } = paged(matching, input, (subnet) => subnet.subnetId);
  return { subnetSet: items.map((subnet) => renderSubnet(context, subnet)), nextToken };
}

function renderSubnet(context: Ec2Context, subnet: SubnetRecord): Record<string, unknown> {
  return {
    subnetId: subnet.subnetId,
    subnetArn: `arn:aws:ec2:${context.region}:${context.account}:subnet/${subnet.subnetId}`,
    state: "available",
    vpcId: subnet.vpcId,
    cidrBlock: subnet.cidr,
    availabilityZone: subnet.zone,
    availabilityZoneId: zoneId(context, subnet.zone),
    availableIpAddressCount: [...freeAddresses(context, subnet)].length,
    defaultForAz: false,
    mapPublicIpOnLaunch: false,
    assignIpv6AddressOnCreation: false,
    ownerId: context.account,
    tagSet: renderTags(subnet.tags),
  };
}

/** Addresses of a subnet that no interface has, in their order. */
export function* freeAddresses(context: Ec2Context, subnet: SubnetRecord): Generator<string> {
  const taken = new Set(
    context.state.interfaces
      .list()
      .filter((one) => one.subnetId === subnet.subnetId)
      .map((one) => one.address),
  );
  const { first, last } = parseNetwork(subnet.cidr);
  for (let value = first + reservedFirst; value <= last - reservedLast; value += 1) {
    const address = formatAddress(value);
    if (!taken.has(address)) yield address;
  }
}

export function describeAvailabilityZones(context: Ec2Context, input: Input): Record<string, unknown> {
  const names = textList(input, "ZoneName");
  const zones = context.zones.filter((zone) => names.length === 0 || names.includes(zone));
  const matching = filtered(
    zones,
    input,
    (zone) => ({
      "zone-name": [zone],
      "zone-id": [zoneId(context, zone)],
      "region-name": [context.region],
      state: ["available"],
      "zone-type": ["availability-zone"],
      "opt-in-status": ["opt-in-not-required"],
    }),
    () => ({}),
    ["zone-name", "zone-id", "region-name", "state", "zone-type", "opt-in-status"],
  );
  return {
    availabilityZoneInfo: matching.map((zone) => ({
      zoneName: zone,
      zoneId: zoneId(context, zone),
      zoneState: "available",
      regionName: context.region,
      groupName: context.region,
      networkBorderGroup: context.region,
      zoneType: "availability-zone",
      optInStatus: "opt-in-not-required",
      messageSet: [],
    })),
  };
}

export function describeRegions(context: Ec2Context): Record<string, unknown> {
  return {
    regionInfo: [
      {
        regionName: context.region,
        regionEndpoint: `ec2.${context.region}.amazonaws.com`,
        optInStatus: "opt-in-not-required",
      },
    ],
  };
}
