import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  DeleteVolumeCommand,
  DescribeVolumesCommand,
  type Volume,
} from "@aws-sdk/client-ec2";
import type { Placement } from "../../ports/compute.ts";
import { isAwsError } from "../errors.ts";
import { waitFor } from "../wait.ts";
import { type Fleet, ownerOf, roundsMax, tokenOf } from "./fleet.ts";
import { terminateInstances } from "./instances.ts";
import { ownedBy, tagSpecification } from "./tags.ts";

/** The device name that EC2 asks for; Nitro instances name the device by the volume's id, which the node looks for. */
const deviceName = "/dev/sdf";
export const goneStates: readonly (string | undefined)[] = ["deleting", "deleted"];

export async function ensureVolume(
  fleet: Fleet,
  place: Placement,
  sizeGiB: number,
): Promise<{ volumeId: string }> {
  const found = (await findVolumes(fleet, place)).find((one) => one.AvailabilityZone === place.zone);
  if (found?.VolumeId !== undefined) return { volumeId: await settled(fleet, found.VolumeId, place) };
  for (let round = 0; round < roundsMax; round++) {
    const volumeId = await create(fleet, place, sizeGiB, round);
    if (await exists(fleet, volumeId)) return { volumeId: await settled(fleet, volumeId, place) };
  }
  throw new Error(`the volume of node ${place.nodeId} vanishes whenever it is made`);
}

async function create(fleet: Fleet, place: Placement, sizeGiB: number, round: number): Promise<string> {
  const answer = await fleet.client.send(
    new CreateVolumeCommand({
      ClientToken: tokenOf(fleet, "vol", place, round),
      AvailabilityZone: place.zone,
      Size: sizeGiB,
      VolumeType: "gp3",
      Encrypted: true,
      KmsKeyId: fleet.settings.keyId,
      TagSpecifications: tagSpecification("volume", ownerOf(fleet, place)),
    }),
  );
  if (answer.VolumeId === undefined) throw new Error("CreateVolume answered no VolumeId");
  return answer.VolumeId;
}

/** A token that was used before answers the volume of then, which may be gone. */
async function exists(fleet: Fleet, volumeId: string): Promise<boolean> {
  const volume = await describe(fleet, volumeId);
  return volume !== undefined && !goneStates.includes(volume.State);
}

async function settled(fleet: Fleet, volumeId: string, place: Placement): Promise<string> {
  return waitFor(
    `volume ${volumeId} of node ${place.nodeId} becoming available`,
    fleet.deadlines.volumeMs,
    async () => {
      const volume = await describe(fleet, volumeId);
      if (volume?.State === "error") throw new Error(`EC2 could not make volume ${volumeId}`);
      return volume?.State === "available" || volume?.State === "in-use" ? volumeId : undefined;
    },
  );
}

export async function describe(fleet: Fleet, volumeId: string): Promise<Volume | undefined> {
  try {
    const answer = await fleet.client.send(new DescribeVolumesCommand({ VolumeIds: [volumeId] }));
    return answer.Volumes?.[0];
  } catch (error) {
    if (isAwsError(error, ["InvalidVolume.NotFound"])) return undefined;
    throw error;
  }
}

async function findVolumes(fleet: Fleet, place: Omit<Placement, "zone">): Promise<Volume[]> {
  const answer = await fleet.client.send(
    new DescribeVolumesCommand({ Filters: ownedBy(ownerOf(fleet, place)) }),
  );
  return (answer.Volumes ?? []).filter((one) => !goneStates.includes(one.State));
}

/** One that the instance before has not let go of yet is waited for. It outlives the instance: EC2's default here. */
export async function attachVolume(fleet: Fleet, volumeId: string, instanceId: string): Promise<void> {
  const what = `volume ${volumeId} being attached to ${instanceId}`;
  await waitFor(what, fleet.deadlines.releaseMs, async () =>
    (await isAttached(fleet, volumeId, instanceId)) ? true : undefined,
  );
}

/** A volume that the instance has already is attached. */
async function isAttached(fleet: Fleet, volumeId: string, instanceId: string): Promise<boolean> {
  try {
    await fleet.client.send(
      new AttachVolumeCommand({ Device: deviceName, VolumeId: volumeId, InstanceId: instanceId }),
    );
    return true;
  } catch (error) {
    if (!isAwsError(error, ["VolumeInUse"])) throw error;
    const holders = (await describe(fleet, volumeId))?.Attachments ?? [];
    return holders.some((one) => one.InstanceId === instanceId);
  }
}

/** A volume in use betrays an instance that the last Describe did not show yet: it is terminated here. */
export async function removeVolume(fleet: Fleet, clusterId: string, nodeId: string): Promise<void> {
  await waitFor(`the removal of node ${nodeId}'s volume`, fleet.deadlines.releaseMs, async () => {
    const found = await findVolumes(fleet, { clusterId, nodeId });
    const removed = await Promise.all(found.map((one) => isRemoved(fleet, one.VolumeId)));
    if (removed.every((one) => one)) return true;
    await terminateInstances(fleet, clusterId, nodeId);
    return undefined;
  });
}

export async function removeVolumeById(fleet: Fleet, volumeId: string): Promise<void> {
  await waitFor(`the removal of volume ${volumeId}`, fleet.deadlines.releaseMs, async () =>
    (await isRemoved(fleet, volumeId)) ? true : undefined,
  );
}

async function isRemoved(fleet: Fleet, volumeId: string | undefined): Promise<boolean> {
  try {
    await fleet.client.send(new DeleteVolumeCommand({ VolumeId: volumeId }));
    return true;
  } catch (error) {
    if (isAwsError(error, ["InvalidVolume.NotFound"])) return true;
    if (isAwsError(error, ["VolumeInUse", "IncorrectState"])) return false;
    throw error;
  }
}
