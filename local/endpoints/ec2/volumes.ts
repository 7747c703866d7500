import { ServiceError } from "../service.ts";
import { type Ec2Context, zoneId } from "./context.ts";
import { invalidValue, missingParameter, notFound } from "./errors.ts";
import { newId } from "./ids.ts";
import { flag, type Input, integer, requiredText, text, textList } from "./input.ts";
import { filtered, paged, selected } from "./listing.ts";
import type { VolumeRecord } from "./state.ts";
import { renderTags, tagsFor } from "./tags.ts";
import { once } from "./tokens.ts";

const sizeGiB = { min: 1, max: 16_384 };
const volumeTypes = ["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"];
const iopsRange = { min: 100, max: 80_000 };
const throughputRange = { min: 125, max: 2_000 };
/** EC2 lets a volume be modified so often within a day. */
const modificationsMax = 4;
const modificationWindowMs = 24 * 3600 * 1000;
/** What gp3 has when nothing else is asked for. */
const gp3Baseline = { iops: 3_000, throughput: 125 };

export function createVolume(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const { answer, fresh } = once(
    state,
    { action: "CreateVolume", input, now: context.now() },
    () => {
      const made = newVolume(context, input);
      state.volumes.put(made.volumeId, made);
      return { resourceId: made.volumeId, answer: renderVolume(context, made) };
    },
    (id) => {
      const present = state.volumes.get(id);
      return present === undefined ? undefined : renderVolume(context, present);
    },
  );
  if (fresh) context.machines.volumes.create(String(answer["volumeId"]));
  return answer;
}

function newVolume(context: Ec2Context, input: Input): VolumeRecord {
  const zone = requiredText(input, "AvailabilityZone");
  if (!context.zones.includes(zone)) {
    throw new ServiceError("InvalidZone.NotFound", `The zone '${zone}' does not exist.`);
  }
  if (text(input, "SnapshotId") !== null)
    throw invalidValue("SnapshotId", "snapshots are not supported here");
  const size = integer(input, "Size", sizeGiB);
  if (size === null) throw missingParameter("Size");
  const volumeType = text(input, "VolumeType") ?? "gp2";
  if (!volumeTypes.includes(volumeType)) throw invalidValue("VolumeType", volumeType);
  const isGp3 = volumeType === "gp3";
  return {
    volumeId: newId("volume"),
    zone,
    sizeGiB: size,
    volumeType,
    iops: integer(input, "Iops", iopsRange) ?? (isGp3 ? gp3Baseline.iops : null),
    throughput: integer(input, "Throughput", throughputRange) ?? (isGp3 ? gp3Baseline.throughput : null),
    encrypted: flag(input, "Encrypted"),
    kmsKeyId: text(input, "KmsKeyId"),
    createdAt: context.now().toISOString(),
    state: "creating",
    attachment: null,
    modification: null,
    tags: tagsFor("volume", input),
  };
}

function existing(context: Ec2Context, volumeId: string): VolumeRecord {
  const volume = context.state.volumes.get(volumeId);
  if (volume === undefined) throw notFound("volume", volumeId);
  return volume;
}

export async function deleteVolume(context: Ec2Context, input: Input): Promise<Record<string, unknown>> {
  const volume = existing(context, requiredText(input, "VolumeId"));
  if (volume.attachment !== null) {
    throw new ServiceError(
      "VolumeInUse",
      `Volume ${volume.volumeId} is currently attached to ${volume.attachment.instanceId}`,
    );
  }
  if (volume.state === "creating") {
    throw new ServiceError("IncorrectState", `The volume '${volume.volumeId}' is 'creating'`);
  }
  await context.machines.volumes.remove(volume.volumeId);
  return { return: true };
}

export async function attachVolume(context: Ec2Context, input: Input): Promise<Record<string, unknown>> {
  const volumeId = requiredText(input, "VolumeId");
  const instanceId = requiredText(input, "InstanceId");
  const device = requiredText(input, "Device");
  const volume = existing(context, volumeId);
  const instance = context.state.instances.get(instanceId);
  if (instance === undefined) throw notFound("instance", instanceId);
  if (volume.attachment !== null) {
    throw new ServiceError("VolumeInUse", `${volumeId} is already attached to an instance`);
  }
  if (volume.state !== "available") {
    throw new ServiceError("IncorrectState", `Volume '${volumeId}' is '${volume.state}'`);
  }
  if (volume.zone !== instance.zone) {
    throw new ServiceError(
      "InvalidVolume.ZoneMismatch",
      `The volume '${volumeId}' is not in the same availability zone as instance '${instanceId}'`,
    );
  }
  if (instance.state !== "running" && instance.state !== "stopped") {
    throw new ServiceError("IncorrectState", `Instance '${instanceId}' is not 'running'.`);
  }
  if (context.state.volumesOf(instanceId).some((one) => one.attachment?.device === device)) {
    throw invalidValue(
      "Device",
      device,
      `Invalid value '${device}' for unixDevice. Attachment point ${device} is already in use`,
    );
  }
  await context.machines.volumes.attach(volumeId, instanceId, device);
  return renderAttachment(existing(context, volumeId)) ?? {};
}

export async function detachVolume(context: Ec2Context, input: Input): Promise<Record<string, unknown>> {
  const volume = existing(context, requiredText(input, "VolumeId"));
  const instanceId = text(input, "InstanceId");
  const wrongInstance = instanceId !== null && volume.attachment?.instanceId !== instanceId;
  if (volume.attachment === null || wrongInstance) {
    throw new ServiceError("IncorrectState", `Volume '${volume.volumeId}' is in the 'available' state.`);
  }
  const answer = renderAttachment({ ...volume, attachment: { ...volume.attachment, state: "detaching" } });
  await context.machines.volumes.detach(volume.volumeId);
  return answer ?? {};
}

export async function modifyVolume(context: Ec2Context, input: Input): Promise<Record<string, unknown>> {
  const volume = existing(context, requiredText(input, "VolumeId"));
  checkModifiable(volume);
  const target = integer(input, "Size", sizeGiB) ?? volume.sizeGiB;
  if (target < volume.sizeGiB) {
    throw invalidValue("Size", String(target), "New size cannot be smaller than existing size");
  }
  const startedAt = context.now().toISOString();
  const starts = [...recentStarts(context, volume), startedAt];
  const modified: VolumeRecord = {
    ...volume,
    iops: integer(input, "Iops", iopsRange) ?? volume.iops,
    throughput: integer(input, "Throughput", throughputRange) ?? volume.throughput,
    modification: {
      originalSizeGiB: volume.sizeGiB,
      targetSizeGiB: target,
      startedAt,
      starts,
    },
  };
  context.state.volumes.put(volume.volumeId, modified);
  await context.machines.volumes.resize(volume.volumeId, target);
  return { volumeModification: renderModification(existing(context, volume.volumeId)) };
}

function checkModifiable(volume: VolumeRecord): void {
  if (volume.state !== "available" && volume.state !== "in-use") {
    throw new ServiceError("IncorrectState", `The volume '${volume.volumeId}' is '${volume.state}'`);
  }
  if (volume.modification !== null && !isModified(volume)) {
    throw new ServiceError(
      "IncorrectModificationState",
      `Volume ${volume.volumeId} cannot be modified in modification state MODIFYING`,
    );
  }
}

function recentStarts(context: Ec2Context, volume: VolumeRecord): readonly string[] {
  const { modification } = volume;
  const starts = modification?.starts ?? (modification === null ? [] : [modification.startedAt]);
  const recent = starts.filter((at) => context.now().getTime() - Date.parse(at) < modificationWindowMs);
  if (recent.length >= modificationsMax) {
    throw new ServiceError(
      "VolumeModificationRateExceeded",
      `You've reached the maximum modification rate per volume limit of volume ${volume.volumeId}: ${modificationsMax} within 24 hours.`,
    );
  }
  return recent;
}

export function describeVolumesModifications(context: Ec2Context, input: Input): Record<string, unknown> {
  const volumes = selected(
    textList(input, "VolumeId"),
    () => context.state.volumes.list(),
    (id) => context.state.volumes.get(id),
    (id) => notFound("volume", id),
  );
  const modified = volumes.filter((volume) => volume.modification !== null);
  const [asked] = textList(input, "VolumeId");
  if (asked !== undefined && modified.length === 0) {
    throw new ServiceError(
      "InvalidVolumeModification.NotFound",
      `Modification for volume '${asked}' does not exist.`,
    );
  }
  const { items, nextToken } = paged(modified, input, (volume) => volume.volumeId);
  return { volumeModificationSet: items.map(renderModification), nextToken };
}

function isModified(volume: VolumeRecord): boolean {
  return volume.sizeGiB === volume.modification?.targetSizeGiB;
}

function renderModification(volume: VolumeRecord): Record<string, unknown> {
  const finished = isModified(volume);
  return {
    volumeId: volume.volumeId,
    modificationState: finished ? "completed" : "modifying",
    originalSize: volume.modification?.originalSizeGiB,
    targetSize: volume.modification?.targetSizeGiB,
    originalVolumeType: volume.volumeType,
    targetVolumeType: volume.volumeType,
    progress: finished ? 100 : 0,
    startTime: volume.modification?.startedAt,
  };
}

export function describeVolumes(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const volumes = selected(
    textList(input, "VolumeId"),
    () => state.volumes.list(),
    (id) => state.volumes.get(id),
    (id) => notFound("volume", id),
  );
  const matching = filtered(
    volumes,
    input,
    (volume) => ({
      "volume-id": [volume.volumeId],
      "availability-zone": [volume.zone],
      "availability-zone-id": [zoneId(context, volume.zone)],
      status: [volume.state],
      size: [volume.sizeGiB],
      "volume-type": [volume.volumeType],
      encrypted: [volume.encrypted],
      "create-time": [volume.createdAt],
      "attachment.instance-id": volume.attachment === null ? [] : [volume.attachment.instanceId],
      "attachment.device": volume.attachment === null ? [] : [volume.attachment.device],
      "attachment.status": volume.attachment === null ? [] : [volume.attachment.state],
    }),
    (volume) => volume.tags,
    [
      ...[
        "volume-id",
        "availability-zone",
        "availability-zone-id",
        "status",
        "size",
        "volume-type",
        "encrypted",
      ],
      ...["create-time", "attachment.instance-id", "attachment.device", "attachment.status"],
    ],
  );
  const { items, nextToken } = paged(matching, input, (volume) => volume.volumeId);
  return { volumeSet: items.map((volume) => renderVolume(context, volume)), nextToken };
}

function renderVolume(context: Ec2Context, volume: VolumeRecord): Record<string, unknown> {
  const attachment = renderAttachment(volume);
  return {
    volumeId: volume.volumeId,
    size: volume.sizeGiB,
    availabilityZone: volume.zone,
    availabilityZoneId: zoneId(context, volume.zone),
    status: volume.state,
    createTime: volume.createdAt,
    volumeType: volume.volumeType,
    iops: volume.iops,
    throughput: volume.throughput,
    encrypted: volume.encrypted,
    kmsKeyId: volume.kmsKeyId,
    multiAttachEnabled: false,
    snapshotId: "",
    attachmentSet: attachment === undefined ? [] : [attachment],
    tagSet: renderTags(volume.tags),
  };
}

function renderAttachment(volume: VolumeRecord): Record<string, unknown> | undefined {
  if (volume.attachment === null) return undefined;
  return {
    volumeId: volume.volumeId,
    instanceId: volume.attachment.instanceId,
    device: volume.attachment.device,
    status: volume.attachment.state,
    attachTime: volume.attachment.attachedAt,
    deleteOnTermination: false,
  };
}
