import {
  CreateNetworkInterfaceCommand,
  DeleteNetworkInterfaceCommand,
  DescribeNetworkInterfacesCommand,
  type NetworkInterface,
} from "@aws-sdk/client-ec2";
import { CapacityError, type Placement } from "../../ports/compute.ts";
import { isAwsError } from "../errors.ts";
import { waitFor } from "../wait.ts";
import { type Fleet, ownerOf, roundsMax, subnetOf, tokenOf } from "./fleet.ts";
import { terminateInstances } from "./instances.ts";
import { ownedBy, tagSpecification } from "./tags.ts";

interface MadeInterface {
  readonly networkInterfaceId: string;
  readonly address: string;
}

export async function ensureNetworkInterface(
  fleet: Fleet,
  place: Placement,
  securityGroupId: string,
): Promise<MadeInterface> {
  const found = (await findInterfaces(fleet, place)).find((one) => one.AvailabilityZone === place.zone);
  if (found !== undefined) return made(found);
  for (let round = 0; round < roundsMax; round++) {
    const created = made(await create(fleet, place, securityGroupId, round));
    if (await appears(fleet, created.networkInterfaceId, place)) return created;
  }
  throw new Error(`the network interface of node ${place.nodeId} vanishes whenever it is made`);
}

async function create(
  fleet: Fleet,
  place: Placement,
  securityGroupId: string,
  round: number,
): Promise<NetworkInterface> {
  try {
    const answer = await fleet.client.send(
      new CreateNetworkInterfaceCommand({
        ClientToken: tokenOf(fleet, "eni", place, round),
        SubnetId: subnetOf(fleet, place),
        Groups: [securityGroupId],
        Description: `pgherd node ${place.nodeId}`,
        TagSpecifications: tagSpecification("network-interface", ownerOf(fleet, place)),
      }),
    );
    return answer.NetworkInterface ?? {};
  } catch (error) {
    if (isAwsError(error, ["InsufficientFreeAddressesInSubnet"])) {
      throw new CapacityError(place.zone, { cause: error });
    }
    throw error;
  }
}

/** A token that was used before answers the interface of then, which may be gone. */
async function appears(fleet: Fleet, networkInterfaceId: string, place: Placement): Promise<boolean> {
  const visible = await findInterfaces(fleet, place);
  if (visible.some((one) => one.NetworkInterfaceId === networkInterfaceId)) return true;
  try {
    const answer = await fleet.client.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [networkInterfaceId] }),
    );
    return (answer.NetworkInterfaces ?? []).length > 0;
  } catch (error) {
    if (isAwsError(error, ["InvalidNetworkInterfaceID.NotFound"])) return false;
    throw error;
  }
}

function made(found: NetworkInterface): MadeInterface {
  const { NetworkInterfaceId: networkInterfaceId, PrivateIpAddress: address } = found;
  if (networkInterfaceId === undefined || address === undefined) {
    throw new Error("EC2 answered a network interface without id or address");
  }
  return { networkInterfaceId, address };
}

async function findInterfaces(fleet: Fleet, place: Omit<Placement, "zone">): Promise<NetworkInterface[]> {
  const answer = await fleet.client.send(
    new DescribeNetworkInterfacesCommand({ Filters: ownedBy(ownerOf(fleet, place)) }),
  );
  return answer.NetworkInterfaces ?? [];
}

/**
 * An interface in use betrays an instance that the last Describe did not show yet: it is terminated here.
 */
export async function removeNetworkInterface(fleet: Fleet, clusterId: string, nodeId: string): Promise<void> {
  const what = `the removal of node ${nodeId}'s network interface`;
  await waitFor(what, fleet.deadlines.releaseMs, async () => {
    const found = await findInterfaces(fleet, { clusterId, nodeId });
    const removed = await Promise.all(found.map((one) => isRemoved(fleet, one.NetworkInterfaceId)));
    if (removed.every((one) => one)) return true;
    await terminateInstances(fleet, clusterId, nodeId);
    return undefined;
  });
}

export async function removeNetworkInterfaceById(fleet: Fleet, networkInterfaceId: string): Promise<void> {
  const what = `the removal of network interface ${networkInterfaceId}`;
  await waitFor(what, fleet.deadlines.releaseMs, async () =>
    (await isRemoved(fleet, networkInterfaceId)) ? true : undefined,
  );
}

async function isRemoved(fleet: Fleet, networkInterfaceId: string | undefined): Promise<boolean> {
  try {
    await fleet.client.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: networkInterfaceId }));
    return true;
  } catch (error) {
    if (isAwsError(error, ["InvalidNetworkInterfaceID.NotFound"])) return true;
    if (isAwsError(error, inUseCodes)) return false;
    throw error;
  }
}

/** EC2 has several words for it, by the state that the attachment is in. */
const inUseCodes = [
  "InvalidNetworkInterface.InUse",
  "InvalidParameterValue",
  "OperationNotPermitted",
  "DependencyViolation",
];
