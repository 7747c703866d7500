import { findInstanceType } from "../../../layers/domain/cluster/instance-types.ts";
import { macAddressOf } from "../../machines/addresses.ts";
import { RoleFacts } from "../iam/roles.ts";
import { ServiceError } from "../service.ts";
import type { Ec2Context } from "./context.ts";
import { invalidValue, missingParameter, notFound } from "./errors.ts";
import { newId } from "./ids.ts";
import { flag, type Input, integer, object, objectList, requiredTextList, text, textList } from "./input.ts";
import { renderReservation, renderState } from "./instance-answers.ts";
import { hostnameOf } from "./interfaces.ts";
import type { InstanceRecord, InstanceStateName, InterfaceRecord, TemplateData } from "./state.ts";
import { tagsFor } from "./tags.ts";
import { resolveTemplate } from "./templates.ts";
import { once } from "./tokens.ts";
import { freeAddresses } from "./vpcs.ts";

export function runInstances(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const { answer, fresh } = once(
    state,
    { action: "RunInstances", input: withoutZone(input), now: context.now() },
    () => {
      const instance = launch(context, input);
      return { resourceId: instance.instanceId, answer: answerOf(context, instance) };
    },
    (id) => {
      const present = state.instances.get(id);
      return present === undefined ? undefined : answerOf(context, present);
    },
  );
  if (fresh) startLaunched(context, answer);
  return answer;
}

/** EC2 compares all parameters of a repetition but the zone. */
function withoutZone(input: Input): Input {
  const placement = object(input, "Placement");
  if (placement === null) return input;
  return { ...input, Placement: { ...placement, AvailabilityZone: undefined } };
}

function answerOf(context: Ec2Context, instance: InstanceRecord): Record<string, unknown> {
  return renderReservation(context, instance.reservationId, [instance]);
}

/** What was launched boots after the answer; what happens then is in the record. */
function startLaunched(context: Ec2Context, answer: Record<string, unknown>): void {
  const instances = answer["instancesSet"] as { instanceId: string }[];
  for (const { instanceId } of instances) void context.machines.advance(instanceId);
}

function launch(context: Ec2Context, input: Input): InstanceRecord {
  checkCounts(input);
  const reference = object(input, "LaunchTemplate");
  const resolved = reference === null ? null : resolveTemplate(context.state, reference);
  const data = resolved?.version.data ?? null;
  const instanceType = chosenType(input, data);
  const imageId = text(input, "ImageId") ?? data?.imageId;
  if (imageId == null) throw missingParameter("ImageId");
  const networkInterface = chosenInterface(context, input);
  takeCapacity(context, networkInterface.zone);
  const instanceId = newId("instance");
  const now = context.now().toISOString();
  const instance: InstanceRecord = {
    instanceId,
    reservationId: newId("reservation"),
    imageId,
    instanceType,
    launchTemplate:
      resolved === null
        ? null
        : {
            launchTemplateId: resolved.template.launchTemplateId,
            version: resolved.version.version,
          },
    instanceProfileArn: profileOf(context, input) ?? data?.instanceProfileArn ?? null,
    zone: networkInterface.zone,
    subnetId: networkInterface.subnetId,
    vpcId: networkInterface.vpcId,
    networkInterfaceId: networkInterface.networkInterfaceId,
    address: networkInterface.address,
    hostname: hostnameOf(networkInterface.address),
    clientToken: text(input, "ClientToken"),
    launchedAt: now,
    state: "pending",
    intent: "run",
    stateReason: null,
    terminatedAt: null,
    everRan: false,
    tags: { ...data?.tags["instance"], ...tagsFor("instance", input) },
  };
  context.state.interfaces.put(networkInterface.networkInterfaceId, {
    ...networkInterface,
    attachment: {
      attachmentId: newId("attachment"),
      instanceId,
      attachedAt: now,
      deleteOnTermination: networkInterface.attachment?.deleteOnTermination ?? false,
    },
  });
  context.state.instances.put(instanceId, instance);
  return instance;
}

function checkCounts(input: Input): void {
  for (const name of ["MinCount", "MaxCount"]) {
    const count = integer(input, name, { min: 1, max: 1_000 });
    if (count === null) throw missingParameter(name);
    if (count !== 1) throw invalidValue(name, String(count), `Only one instance per call is supported here.`);
  }
}

function chosenType(input: Input, data: TemplateData | null): string {
  const name = text(input, "InstanceType") ?? data?.instanceType;
  if (name == null) throw missingParameter("InstanceType");
  if (findInstanceType(name) === undefined) {
    throw invalidValue("InstanceType", name, `Invalid value '${name}' for InstanceType.`);
  }
  return name;
}

function profileOf(context: Ec2Context, input: Input): string | null {
  const profile = object(input, "IamInstanceProfile");
  if (profile === null) return null;
  const name = text(profile, "Name");
  if (name === null) return text(profile, "Arn");
  const arn = new RoleFacts(context.state.documents).profileArn(name);
  if (arn !== null) return arn;
  const why = `Value (${name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`;
  throw invalidValue("iamInstanceProfile.name", name, why);
}

/** An interface that exists, or a new one in the subnet that goes with its instance. */
function chosenInterface(context: Ec2Context, input: Input): InterfaceRecord {
  const [given, ...more] = objectList(input, "NetworkInterface");
  if (more.length > 0) throw invalidValue("NetworkInterface", "more than one interface");
  const id = given === undefined ? null : text(given, "NetworkInterfaceId");
  if (id !== null) return freeInterface(context, id);
  const subnetId = (given === undefined ? null : text(given, "SubnetId")) ?? text(input, "SubnetId");
  if (subnetId === null) throw missingParameter("SubnetId");
  const groups =
    given === undefined ? textList(input, "SecurityGroupId") : textList(given, "SecurityGroupId");
  return interfaceOfLaunch(context, subnetId, groups);
}

function freeInterface(context: Ec2Context, id: string): InterfaceRecord {
  const found = context.state.interfaces.get(id);
  if (found === undefined) throw notFound("network-interface", id);
  if (found.attachment !== null) {
    throw new ServiceError(
      "InvalidNetworkInterface.InUse",
      `The network interface '${id}' is currently in use.`,
    );
  }
  return found;
}

function interfaceOfLaunch(
  context: Ec2Context,
  subnetId: string,
  groupIds: readonly string[],
): InterfaceRecord {
  const subnet = context.state.subnets.get(subnetId);
  if (subnet === undefined) throw notFound("subnet", subnetId);
  const address = freeAddresses(context, subnet).next();
  if (address.done === true) {
    throw new ServiceError(
      "InsufficientFreeAddressesInSubnet",
      `There are not enough free addresses in subnet '${subnetId}'.`,
    );
  }
  const unknown = groupIds.find((groupId) => context.state.groups.get(groupId) === undefined);
  if (unknown !== undefined) throw notFound("security-group", unknown);
  const defaultGroup = context.state.vpcs.get(subnet.vpcId)?.defaultGroupId;
  const networkInterfaceId = newId("network-interface");
  return {
    networkInterfaceId,
    subnetId,
    vpcId: subnet.vpcId,
    zone: subnet.zone,
    address: address.value,
    macAddress: macAddressOf(networkInterfaceId),
    description: "",
    groupIds: groupIds.length > 0 || defaultGroup === undefined ? groupIds : [defaultGroup],
    attachment: { attachmentId: "", instanceId: "", attachedAt: "", deleteOnTermination: true },
    tags: {},
  };
}

/** A zone whose capacity is limited runs out of it. */
function takeCapacity(context: Ec2Context, zone: string): void {
  const left = context.state.capacity.get(zone);
  if (left === undefined) return;
  if (left <= 0) {
    throw new ServiceError(
      "InsufficientInstanceCapacity",
      `We currently do not have sufficient capacity in the Availability Zone you requested (${zone}).`,
      500,
    );
  }
  context.state.capacity.put(zone, left - 1);
}

type Change = (instance: InstanceRecord) => InstanceRecord | null;

/** Changes the records of a call in one go and brings the machines after them. `null` leaves an instance alone. */
function changeInstances(context: Ec2Context, input: Input, change: Change): Record<string, unknown> {
  const ids = [...new Set(requiredTextList(input, "InstanceId"))];
  const changes = context.state.documents.transaction(() =>
    ids.map((instanceId) => {
      const before = context.state.instances.get(instanceId);
      if (before === undefined) throw notFound("instance", instanceId);
      const after = change(before);
      if (after !== null) context.state.instances.put(instanceId, after);
      return { before, after: after ?? before };
    }),
  );
  for (const { before, after } of changes) {
    if (before.state !== after.state) void context.machines.advance(after.instanceId);
  }
  return {
    instancesSet: changes.map(({ before, after }) => ({
      instanceId: after.instanceId,
      currentState: renderState(after.state),
      previousState: renderState(before.state),
    })),
  };
}

export function startInstances(context: Ec2Context, input: Input): Record<string, unknown> {
  return changeInstances(context, input, (instance) => {
    if (instance.state === "running" || instance.state === "pending") return null;
    if (instance.state !== "stopped") throw incorrectState(instance, "started");
    return { ...instance, state: "pending", intent: "run", stateReason: null };
  });
}

export function stopInstances(context: Ec2Context, input: Input): Record<string, unknown> {
  const force = flag(input, "Force");
  const answer = changeInstances(context, input, (instance) => {
    // A crashed machine that is to stay off: nothing to do but to note it.
    if (instance.state === "stopped") return { ...instance, intent: "stop" };
    if (instance.state === "stopping") return null;
    if (instance.state !== "running" && instance.state !== "pending")
      throw incorrectState(instance, "stopped");
    return { ...instance, state: "stopping", intent: "stop", stateReason: userReason("shutdown") };
  });
  if (force) killAll(context, input, ["stopping"]);
  return answer;
}

export function terminateInstances(context: Ec2Context, input: Input): Record<string, unknown> {
  const booting = requiredTextList(input, "InstanceId").filter(
    (id) => context.state.instances.get(id)?.state === "pending",
  );
  const answer = changeInstances(context, input, (instance) => {
    if (instance.state === "terminated" || instance.state === "shutting-down") return null;
    return { ...instance, state: "shutting-down", intent: "terminate", stateReason: userReason("shutdown") };
  });
  killAll(context, { InstanceId: booting }, ["shutting-down"]);
  return answer;
}

/** Machines that have nothing to lose, or whose owner is in a hurry, are not asked. */
function killAll(context: Ec2Context, input: Input, states: readonly InstanceStateName[]): void {
  for (const id of textList(input, "InstanceId")) {
    const state = context.state.instances.get(id)?.state;
    if (state !== undefined && states.includes(state)) context.machines.pullPlug(id);
  }
}

export function rebootInstances(context: Ec2Context, input: Input): Record<string, unknown> {
  const ids = requiredTextList(input, "InstanceId");
  for (const id of ids) {
    const instance = context.state.instances.get(id);
    if (instance === undefined) throw notFound("instance", id);
    // A crashed machine shows as stopped but is meant to run: the reboot brings it back.
    const isUp = instance.state === "running" || (instance.state === "stopped" && instance.intent === "run");
    if (!isUp) throw incorrectState(instance, "rebooted");
  }
  for (const id of ids) context.machines.reboot(id);
  return { return: true };
}

function userReason(what: string): { code: string; message: string } {
  return {
    code: `Client.UserInitiatedShutdown`,
    message: `Client.UserInitiatedShutdown: User initiated ${what}`,
  };
}

function incorrectState(instance: InstanceRecord, what: string): ServiceError {
  return new ServiceError(
    "IncorrectInstanceState",
    `The instance '${instance.instanceId}' is not in a state from which it can be ${what}: it is ${instance.state}.`,
  );
}
