import { findInstanceType, instanceTypeNames } from "../../../layers/domain/cluster/instance-types.ts";
import { ServiceError } from "../service.ts";
import { type Ec2Context, zoneId } from "./context.ts";
import { notFound } from "./errors.ts";
import { flag, type Input, textList } from "./input.ts";
import { dnsName, renderAttachment, renderGroups, renderInterfaceCore } from "./interfaces.ts";
import { filtered, paged, selected } from "./listing.ts";
import type { InstanceRecord, InstanceStateName } from "./state.ts";
import { renderTags } from "./tags.ts";

const stateCodes: Readonly<Record<InstanceStateName, number>> = {
  pending: 0,
  running: 16,
  "shutting-down": 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

export function renderState(name: InstanceStateName): Record<string, unknown> {
  return { code: stateCodes[name], name };
}

export function describeInstances(context: Ec2Context, input: Input): Record<string, unknown> {
  const matching = matchingInstances(context, input);
  const { items, nextToken } = paged(matching, input, (one) => one.instanceId);
  const byReservation = Map.groupBy(items, (one) => one.reservationId);
  return {
    reservationSet: [...byReservation].map(([reservationId, instances]) =>
      renderReservation(context, reservationId, instances),
    ),
    nextToken,
  };
}

export function renderReservation(
  context: Ec2Context,
  reservationId: string,
  instances: readonly InstanceRecord[],
): Record<string, unknown> {
  return {
    reservationId,
    ownerId: context.account,
    groupSet: [],
    instancesSet: instances.map((instance) => renderInstance(context, instance)),
  };
}

function matchingInstances(context: Ec2Context, input: Input): InstanceRecord[] {
  const instances = selected(
    textList(input, "InstanceId"),
    () => context.state.instances.list(),
    (id) => context.state.instances.get(id),
    (id) => notFound("instance", id),
  );
  return filtered(instances, input, attributesOf(context), (one) => one.tags, knownFilters);
}

const knownFilters = [
  ...["instance-id", "instance-state-name", "instance-state-code", "instance-type", "image-id", "vpc-id"],
  ...["subnet-id", "availability-zone", "availability-zone-id", "private-ip-address", "private-dns-name"],
  ...["reservation-id", "client-token", "launch-time", "owner-id", "iam-instance-profile.arn"],
  ...["network-interface.network-interface-id", "network-interface.group-id", "network-interface.subnet-id"],
  ...[
    "network-interface.addresses.private-ip-address",
    "instance.group-id",
    "instance.group-name",
    "group-id",
  ],
  ...["group-name", "block-device-mapping.volume-id", "architecture", "state-reason-code"],
];

function attributesOf(context: Ec2Context) {
  return (one: InstanceRecord) => {
    const networkInterface = context.state.interfaces.get(one.networkInterfaceId);
    const groupIds = networkInterface?.groupIds ?? [];
    const groupNames = groupIds.map((id) => context.state.groups.get(id)?.groupName ?? id);
    const interfaceIds = one.state === "terminated" ? [] : [one.networkInterfaceId];
    return {
      "instance-id": [one.instanceId],
      "instance-state-name": [one.state],
      "instance-state-code": [stateCodes[one.state]],
      "instance-type": [one.instanceType],
      "image-id": [one.imageId],
      "vpc-id": [one.vpcId],
      "subnet-id": [one.subnetId],
      "availability-zone": [one.zone],
      "availability-zone-id": [zoneId(context, one.zone)],
      "private-ip-address": [one.address],
      "private-dns-name": [dnsName(context, one.address)],
      "reservation-id": [one.reservationId],
      "client-token": one.clientToken === null ? [] : [one.clientToken],
      "launch-time": [one.launchedAt],
      "owner-id": [context.account],
      "iam-instance-profile.arn": one.instanceProfileArn === null ? [] : [one.instanceProfileArn],
      "network-interface.network-interface-id": interfaceIds,
      "network-interface.group-id": groupIds,
      "network-interface.subnet-id": [one.subnetId],
      "network-interface.addresses.private-ip-address": [one.address],
      "instance.group-id": groupIds,
      "instance.group-name": groupNames,
      "group-id": groupIds,
      "group-name": groupNames,
      "block-device-mapping.volume-id": context.state
        .volumesOf(one.instanceId)
        .map((volume) => volume.volumeId),
      architecture: ["x86_64"],
      "state-reason-code": one.stateReason === null ? [] : [one.stateReason.code],
    };
  };
}

function renderInstance(context: Ec2Context, one: InstanceRecord): Record<string, unknown> {
  const basics = {
    instanceId: one.instanceId,
    imageId: one.imageId,
    instanceState: renderState(one.state),
    instanceType: one.instanceType,
    launchTime: one.launchedAt,
    amiLaunchIndex: 0,
    clientToken: one.clientToken ?? "",
    placement: {
      availabilityZone: one.zone,
      availabilityZoneId: zoneId(context, one.zone),
      groupName: "",
      tenancy: "default",
    },
    architecture: "x86_64",
    hypervisor: "nitro",
    virtualizationType: "hvm",
    platformDetails: "Linux/UNIX",
    rootDeviceType: "ebs",
    rootDeviceName: "/dev/xvda",
    ebsOptimized: false,
    enaSupport: true,
    monitoring: { state: "disabled" },
    metadataOptions: { state: "applied", httpTokens: "required", httpEndpoint: "enabled" },
    stateReason: one.stateReason ?? undefined,
    tagSet: renderTags(one.tags),
    iamInstanceProfile: one.instanceProfileArn === null ? undefined : { arn: one.instanceProfileArn },
  };
  // A terminated instance has nothing left, not even an address.
  if (one.state === "terminated") {
    return { ...basics, privateDnsName: "", dnsName: "", networkInterfaceSet: [], blockDeviceMapping: [] };
  }
  return { ...basics, ...renderAttached(context, one) };
}

function renderAttached(context: Ec2Context, one: InstanceRecord): Record<string, unknown> {
  const networkInterface = context.state.interfaces.get(one.networkInterfaceId);
  return {
    vpcId: one.vpcId,
    subnetId: one.subnetId,
    privateIpAddress: one.address,
    privateDnsName: dnsName(context, one.address),
    dnsName: "",
    sourceDestCheck: true,
    groupSet: networkInterface === undefined ? [] : renderGroups(context, networkInterface),
    networkInterfaceSet:
      networkInterface === undefined
        ? []
        : [
            {
              ...renderInterfaceCore(context, networkInterface),
              attachment: renderAttachment(networkInterface),
            },
          ],
    blockDeviceMapping: context.state.volumesOf(one.instanceId).map((volume) => ({
      deviceName: volume.attachment?.device,
      ebs: {
        volumeId: volume.volumeId,
        status: volume.attachment?.state,
        attachTime: volume.attachment?.attachedAt,
        deleteOnTermination: false,
      },
    })),
  };
}

export function describeInstanceStatus(context: Ec2Context, input: Input): Record<string, unknown> {
  const all = flag(input, "IncludeAllInstances");
  const instances = matchingInstances(context, input).filter((one) => all || one.state === "running");
  const { items, nextToken } = paged(instances, input, (one) => one.instanceId);
  return {
    instanceStatusSet: items.map((one) => {
      const status = one.state === "running" ? "ok" : "not-applicable";
      return {
        instanceId: one.instanceId,
        availabilityZone: one.zone,
        instanceState: renderState(one.state),
        instanceStatus: { status, details: [] },
        systemStatus: { status, details: [] },
        eventsSet: [],
      };
    }),
    nextToken,
  };
}

export function describeInstanceTypes(_context: Ec2Context, input: Input): Record<string, unknown> {
  const types = selected(
    textList(input, "InstanceType"),
    () => instanceTypeNames.flatMap((name) => findInstanceType(name) ?? []),
    findInstanceType,
    (name) => unknownInstanceType(name),
  );
  const matching = filtered(
    types,
    input,
    (type) => ({
      "instance-type": [type.name],
      "vcpu-info.default-vcpus": [type.vcpus],
      "memory-info.size-in-mib": [type.memoryMiB],
      "current-generation": [true],
    }),
    () => ({}),
    ["instance-type", "vcpu-info.default-vcpus", "memory-info.size-in-mib", "current-generation"],
  );
  const { items, nextToken } = paged(matching, input, (type) => type.name);
  return {
    instanceTypeSet: items.map((type) => ({
      instanceType: type.name,
      currentGeneration: true,
      vCpuInfo: { defaultVCpus: type.vcpus },
      memoryInfo: { sizeInMiB: type.memoryMiB },
      processorInfo: { supportedArchitectures: ["x86_64"] },
      hypervisor: "nitro",
      bareMetal: false,
    })),
    nextToken,
  };
}

function unknownInstanceType(name: string): ServiceError {
  return new ServiceError(
    "InvalidInstanceType",
    `The following supplied instance types do not exist: [${name}]`,
  );
}
