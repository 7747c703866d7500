import {
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeVolumesCommand,
  type Filter,
  type Instance,
  paginateDescribeInstances,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { tagNames } from "../../domain/cluster/names.ts";
import { nodeRoleName } from "../../domain/cluster/node-role.ts";
import { CapacityError, type InstanceState, type Placement } from "../../ports/compute.ts";
import { awsErrorCode, isAwsError } from "../errors.ts";
import { onAllPages } from "../pages.ts";
import { waitFor } from "../wait.ts";
import { type Fleet, ownerOf, roundsMax, tokenOf } from "./fleet.ts";
import { ownedBy, tagSpecification } from "./tags.ts";

/** No room, or no such type, in this zone; another zone may do. */
const capacityCodes = [
  "InsufficientInstanceCapacity",
  "InsufficientCapacity",
  "InsufficientHostCapacity",
  "Unsupported",
];

export interface InstanceInput {
  readonly instanceType: string;
  readonly networkInterfaceId: string;
  readonly deadlineSeconds: number;
}

export async function ensureInstance(
  fleet: Fleet,
  place: Placement,
  input: InstanceInput,
): Promise<{ instanceId: string }> {
  const [living] = await findInstances(fleet, place.clusterId, place.nodeId);
  if (living !== undefined) mustFit(living, place, input);
  if (pausedStates.includes(living?.State?.Name ?? "")) {
    const started = await startInstance(fleet, place, input.deadlineSeconds);
    if (started !== null) return started;
  }
  const instanceId = living?.InstanceId ?? (await launch(fleet, place, input));
  await running(fleet, instanceId, place, input.deadlineSeconds);
  return { instanceId };
}

const pausedStates: readonly string[] = ["stopping", "stopped"];

/** Another machine than the wanted one is not passed off as it, and nobody asked to end it. */
function mustFit(living: Instance, place: Placement, input: InstanceInput): void {
  const interfaceIds = (living.NetworkInterfaces ?? []).map((one) => one.NetworkInterfaceId);
  if (living.InstanceType === input.instanceType && interfaceIds.includes(input.networkInterfaceId)) return;
  throw new Error(
    `node ${place.nodeId} has instance ${living.InstanceId} already, a ${living.InstanceType} on ${interfaceIds.join(", ")}, instead of a ${input.instanceType} on ${input.networkInterfaceId}`,
  );
}

/** The interface may still belong to an instance that ends. A repetition of the token needs no free interface. */
async function launch(fleet: Fleet, place: Placement, input: InstanceInput): Promise<string> {
  const { terminationMs, releaseMs } = fleet.deadlines;
  const what = `${input.networkInterfaceId} of node ${place.nodeId} being free for an instance`;
  return waitFor(what, terminationMs + releaseMs, async () => {
    try {
      return await launchWithProfile(fleet, place, input);
    } catch (error) {
      if (isAwsError(error, ["InvalidNetworkInterface.InUse"])) return undefined;
      throw error;
    }
  });
}

/** What IAM has made a moment ago EC2 does not know yet. */
async function launchWithProfile(fleet: Fleet, place: Placement, input: InstanceInput): Promise<string> {
  const profile = nodeRoleName(fleet.settings.environment, place.clusterId);
  return waitFor(`instance profile ${profile} being known to EC2`, fleet.deadlines.profileMs, async () => {
    try {
      return await launchOnce(fleet, place, input);
    } catch (error) {
      if (isUnknownProfile(error)) return undefined;
      throw error;
    }
  });
}

/** EC2 has one code for all wrong values: its sentence says which one it was. */
const isUnknownProfile = (error: unknown): boolean =>
  isAwsError(error, ["InvalidParameterValue"]) &&
  error instanceof Error &&
  /iam ?instance ?profile/i.test(error.message);

/** A token that was used before answers the instance of then: one that had ended before is not the one to wait for. */
async function launchOnce(fleet: Fleet, place: Placement, input: InstanceInput): Promise<string> {
  const ended = await findInstances(fleet, place.clusterId, place.nodeId, endedStates);
  const endedIds = ended.map((one) => one.InstanceId);
  for (let round = 0; round < roundsMax; round++) {
    const instance = await runInstances(fleet, place, input, round);
    if (instance === null || endedStates.includes(instance.State?.Name ?? "")) continue;
    if (instance.InstanceId === undefined) throw new Error("RunInstances answered no InstanceId");
    if (!endedIds.includes(instance.InstanceId)) return instance.InstanceId;
  }
  throw new Error(`the instance of node ${place.nodeId} is terminated whenever it is launched`);
}

const endedStates: readonly string[] = ["shutting-down", "terminated"];

async function runInstances(
  fleet: Fleet,
  place: Placement,
  input: InstanceInput,
  round: number,
): Promise<Instance | null> {
  try {
    const answer = await fleet.launcher.send(
      new RunInstancesCommand({
        ClientToken: tokenOf(fleet, "ins", place, round),
        IamInstanceProfile: { Name: nodeRoleName(fleet.settings.environment, place.clusterId) },
        LaunchTemplate: { LaunchTemplateId: fleet.settings.launchTemplateId, Version: "$Latest" },
        InstanceType: input.instanceType as NonNullable<Instance["InstanceType"]>,
        MinCount: 1,
        MaxCount: 1,
        NetworkInterfaces: [{ DeviceIndex: 0, NetworkInterfaceId: input.networkInterfaceId }],
        TagSpecifications: tagSpecification("instance", ownerOf(fleet, place)),
      }),
    );
    return answer.Instances?.[0] ?? {};
  } catch (error) {
    /** The token was for another interface of the node, in this zone: that instance is not this one. */
    if (isAwsError(error, ["IdempotentParameterMismatch"])) return null;
    if (capacityCodes.includes(awsErrorCode(error) ?? "")) {
      throw new CapacityError(place.zone, { cause: error });
    }
    throw error;
  }
}

async function running(
  fleet: Fleet,
  instanceId: string,
  place: Placement,
  deadlineSeconds: number,
): Promise<void> {
  const what = `instance ${instanceId} of node ${place.nodeId} running`;
  await waitFor(what, deadlineSeconds * 1000, async () => {
    const instance = await describe(fleet, instanceId);
    const state = instance?.State?.Name;
    if (state === "running") return true;
    if (state === undefined || state === "pending") return undefined;
    const reason = instance?.StateReason;
    if (reason?.Code === "Server.InsufficientInstanceCapacity") {
      throw new CapacityError(place.zone, { cause: new Error(reason.Message) });
    }
    throw new Error(
      `instance ${instanceId} of node ${place.nodeId} is ${state} instead of running: ${reason?.Message ?? "EC2 says no reason"}`,
    );
  });
}

/** Undefined also while EC2 does not show a new instance yet. */
async function describe(fleet: Fleet, instanceId: string): Promise<Instance | undefined> {
  try {
    const answer = await fleet.client.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] }));
    return answer.Reservations?.[0]?.Instances?.[0];
  } catch (error) {
    if (isAwsError(error, ["InvalidInstanceID.NotFound"])) return undefined;
    throw error;
  }
}

const livingStates = ["pending", "running", "stopping", "stopped"];

/** Instances that are there or can come back; `null` means of every node. */
function findInstances(
  fleet: Fleet,
  clusterId: string,
  nodeId: string | null,
  states: readonly string[] = livingStates,
): Promise<Instance[]> {
  const owner = { environment: fleet.settings.environment, clusterId };
  const filters: Filter[] = [
    ...ownedBy(nodeId === null ? owner : { ...owner, nodeId }),
    { Name: "instance-state-name", Values: [...states] },
  ];
  const pages = paginateDescribeInstances(fleet, { Filters: filters });
  return onAllPages(pages, ({ Reservations }) => Reservations?.flatMap((one) => one.Instances ?? []));
}

/** One that still boots takes no stop: it is asked again. */
export async function stopInstance(fleet: Fleet, instanceId: string, deadlineSeconds: number): Promise<void> {
  await waitFor(`the stop of instance ${instanceId}`, deadlineSeconds * 1000, async () => {
    const state = (await describe(fleet, instanceId))?.State?.Name;
    if (state === undefined || goneOrStopped.includes(state)) return true;
    if (state === "running" || state === "pending") await stop(fleet, instanceId);
    return undefined;
  });
}

const goneOrStopped: readonly string[] = ["stopped", "shutting-down", "terminated"];

async function stop(fleet: Fleet, instanceId: string): Promise<void> {
  try {
    await fleet.client.send(new StopInstancesCommand({ InstanceIds: [instanceId] }));
  } catch (error) {
    if (!isAwsError(error, ["IncorrectInstanceState", "InvalidInstanceID.NotFound"])) throw error;
  }
}

/** One that is still stopping is waited for first. */
export async function startInstance(
  fleet: Fleet,
  place: Placement,
  deadlineSeconds: number,
): Promise<{ instanceId: string } | null> {
  const living = await findInstances(fleet, place.clusterId, place.nodeId);
  const instanceId = living[0]?.InstanceId;
  if (instanceId === undefined) return null;
  const what = `instance ${instanceId} of node ${place.nodeId} running again`;
  return waitFor(what, deadlineSeconds * 1000, async () => {
    const state = (await describe(fleet, instanceId))?.State?.Name;
    if (state === "running") return { instanceId };
    if (state === "shutting-down" || state === "terminated") return null;
    if (state === "stopped") await startAgain(fleet, instanceId, place);
    return undefined;
  });
}

async function startAgain(fleet: Fleet, instanceId: string, place: Placement): Promise<void> {
  try {
    await fleet.client.send(new StartInstancesCommand({ InstanceIds: [instanceId] }));
  } catch (error) {
    if (isAwsError(error, ["IncorrectInstanceState"])) return;
    if (capacityCodes.includes(awsErrorCode(error) ?? ""))
      throw new CapacityError(place.zone, { cause: error });
    throw error;
  }
}

/** Asks EC2 to end every instance of the node and answers how many there still were. */
export async function terminateInstances(fleet: Fleet, clusterId: string, nodeId: string): Promise<number> {
  const found = await findInstances(fleet, clusterId, nodeId, [...livingStates, "shutting-down"]);
  const toEnd = found
    .filter((one) => one.State?.Name !== "shutting-down")
    .flatMap((one) => one.InstanceId ?? []);
  if (toEnd.length > 0) await terminate(fleet, toEnd);
  return found.length;
}

async function terminate(fleet: Fleet, instanceIds: string[]): Promise<void> {
  try {
    await fleet.client.send(new TerminateInstancesCommand({ InstanceIds: instanceIds }));
  } catch (error) {
    if (!isAwsError(error, ["InvalidInstanceID.NotFound"])) throw error;
  }
}

export async function removeInstance(fleet: Fleet, clusterId: string, nodeId: string): Promise<void> {
  await waitFor(`the end of node ${nodeId}'s instance`, fleet.deadlines.terminationMs, async () =>
    (await terminateInstances(fleet, clusterId, nodeId)) === 0 ? true : undefined,
  );
}

export async function removeInstanceById(fleet: Fleet, instanceId: string): Promise<void> {
  await waitFor(`the end of instance ${instanceId}`, fleet.deadlines.terminationMs, async () => {
    const state = (await describe(fleet, instanceId))?.State?.Name;
    if (state === undefined || state === "terminated") return true;
    if (state !== "shutting-down") await terminate(fleet, [instanceId]);
    return undefined;
  });
  const what = `interface and volumes of instance ${instanceId} being free`;
  await waitFor(what, fleet.deadlines.releaseMs, async () =>
    (await holdsAnything(fleet, instanceId)) ? undefined : true,
  );
}

/** Attachments outlive their instance by some seconds. */
async function holdsAnything(fleet: Fleet, instanceId: string): Promise<boolean> {
  const Filters = [{ Name: "attachment.instance-id", Values: [instanceId] }];
  const [volumes, interfaces] = await Promise.all([
    fleet.client.send(new DescribeVolumesCommand({ Filters })),
    fleet.client.send(new DescribeNetworkInterfacesCommand({ Filters })),
  ]);
  return (volumes.Volumes ?? []).length + (interfaces.NetworkInterfaces ?? []).length > 0;
}

export async function listInstances(fleet: Fleet, clusterId: string): Promise<readonly InstanceState[]> {
  const found = await findInstances(fleet, clusterId, null, [...livingStates, "shutting-down"]);
  return found.flatMap((one) => {
    const nodeId = one.Tags?.find((tag) => tag.Key === tagNames.node)?.Value;
    const state = one.State?.Name;
    const { InstanceId: instanceId, InstanceType: instanceType } = one;
    if (instanceId === undefined || instanceType === undefined) return [];
    return nodeId === undefined || state === undefined ? [] : [{ instanceId, nodeId, instanceType, state }];
  });
}
