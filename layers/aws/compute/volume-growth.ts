import {
  DescribeVolumesModificationsCommand,
  ModifyVolumeCommand,
  type VolumeModification,
} from "@aws-sdk/client-ec2";
import { VolumeModifiedRecentlyError } from "../../ports/compute.ts";
import { isAwsError } from "../errors.ts";
import { waitFor } from "../wait.ts";
import type { Fleet } from "./fleet.ts";
import { describe } from "./volumes.ts";

/** EC2's words for "not again so soon", and for "the last change still goes on". */
const tooSoonCodes = ["VolumeModificationRateExceeded", "IncorrectModificationState"];
/** While it optimizes, a volume is slower than it will be, but has its new size already. */
const usableStates: readonly (string | undefined)[] = ["optimizing", "completed"];

/** EC2 changes a volume in the background. What an earlier call began is waited for, not begun again. */
export async function growVolume(fleet: Fleet, volumeId: string, sizeGiB: number): Promise<void> {
  const size = await sizeOf(fleet, volumeId);
  if (size < sizeGiB && !isGrowing(await modificationOf(fleet, volumeId), sizeGiB)) {
    await modify(fleet, volumeId, sizeGiB);
  }
  await waitFor(`volume ${volumeId} having ${sizeGiB} GiB`, fleet.deadlines.growthMs, async () => {
    const modification = await modificationOf(fleet, volumeId);
    if (modification?.ModificationState === "failed") {
      const reason = modification.StatusMessage ?? "EC2 says no reason";
      throw new Error(`volume ${volumeId} could not be grown: ${reason}`);
    }
    if (modification !== undefined && !usableStates.includes(modification.ModificationState))
      return undefined;
    return (await sizeOf(fleet, volumeId)) >= sizeGiB ? true : undefined;
  });
}

async function sizeOf(fleet: Fleet, volumeId: string): Promise<number> {
  const volume = await describe(fleet, volumeId);
  if (volume?.Size === undefined) throw new Error(`volume ${volumeId} is gone, so it cannot be grown`);
  return volume.Size;
}

function isGrowing(modification: VolumeModification | undefined, sizeGiB: number): boolean {
  if (modification?.ModificationState === "failed") return false;
  return (modification?.TargetSize ?? 0) >= sizeGiB;
}

async function modify(fleet: Fleet, volumeId: string, sizeGiB: number): Promise<void> {
  try {
    await fleet.client.send(new ModifyVolumeCommand({ VolumeId: volumeId, Size: sizeGiB }));
  } catch (error) {
    if (isAwsError(error, tooSoonCodes)) throw new VolumeModifiedRecentlyError(volumeId, { cause: error });
    throw error;
  }
}

/** The last change; EC2 forgets it some time after it ended, and a volume that was never changed has none. */
async function modificationOf(fleet: Fleet, volumeId: string): Promise<VolumeModification | undefined> {
  try {
    const answer = await fleet.client.send(
      new DescribeVolumesModificationsCommand({ VolumeIds: [volumeId] }),
    );
    return answer.VolumesModifications?.[0];
  } catch (error) {
    if (isAwsError(error, ["InvalidVolumeModification.NotFound"])) return undefined;
    throw error;
  }
}
