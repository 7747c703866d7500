import {
  paginateDescribeInstances,
  paginateDescribeNetworkInterfaces,
  paginateDescribeVolumes,
  type Tag,
} from "@aws-sdk/client-ec2";
import { tagNames } from "../../domain/cluster/names.ts";
import type { SecurityRule } from "../../domain/cluster/security-rules.ts";
import type { Survey } from "../../ports/compute.ts";
import type { Fleet } from "./fleet.ts";
import { areRulesCurrent } from "./security-groups.ts";
import { ownedBy } from "./tags.ts";
import { goneStates } from "./volumes.ts";

/** Everything of a cluster that is there and can stay. */
export async function survey(
  fleet: Fleet,
  clusterId: string,
  rules: readonly SecurityRule[],
): Promise<Survey> {
  const [instances, volumes, networkInterfaces, isCurrent] = await Promise.all([
    instancesOf(fleet, clusterId),
    volumesOf(fleet, clusterId),
    interfacesOf(fleet, clusterId),
    areRulesCurrent(fleet, clusterId, rules),
  ]);
  return { instances, volumes, networkInterfaces, securityRules: isCurrent ? "current" : "stale" };
}

function query(fleet: Fleet, clusterId: string) {
  return { Filters: ownedBy({ environment: fleet.settings.environment, clusterId }) };
}

function nodeOf(tags: readonly Tag[] | undefined): string | undefined {
  return tags?.find((tag) => tag.Key === tagNames.node)?.Value;
}

async function instancesOf(fleet: Fleet, clusterId: string): Promise<Survey["instances"]> {
  const found: Survey["instances"][number][] = [];
  for await (const page of paginateDescribeInstances(fleet, query(fleet, clusterId))) {
    for (const one of (page.Reservations ?? []).flatMap((reservation) => reservation.Instances ?? [])) {
      const { InstanceId: instanceId, InstanceType: instanceType } = one;
      const nodeId = nodeOf(one.Tags);
      const state = one.State?.Name;
      if (state === undefined || state === "shutting-down" || state === "terminated") continue;
      if (instanceId === undefined || instanceType === undefined || nodeId === undefined) continue;
      found.push({ instanceId, nodeId, instanceType, state });
    }
  }
  return found;
}

async function volumesOf(fleet: Fleet, clusterId: string): Promise<Survey["volumes"]> {
  const found: Survey["volumes"][number][] = [];
  for await (const page of paginateDescribeVolumes(fleet, query(fleet, clusterId))) {
    for (const { VolumeId: volumeId, Size: sizeGiB, State, Tags } of page.Volumes ?? []) {
      const nodeId = nodeOf(Tags);
      if (goneStates.includes(State)) continue;
      if (volumeId === undefined || sizeGiB === undefined || nodeId === undefined) continue;
      found.push({ volumeId, nodeId, sizeGiB });
    }
  }
  return found;
}

async function interfacesOf(fleet: Fleet, clusterId: string): Promise<Survey["networkInterfaces"]> {
  const found: Survey["networkInterfaces"][number][] = [];
  for await (const page of paginateDescribeNetworkInterfaces(fleet, query(fleet, clusterId))) {
    for (const { NetworkInterfaceId: networkInterfaceId, TagSet } of page.NetworkInterfaces ?? []) {
      const nodeId = nodeOf(TagSet);
      if (networkInterfaceId === undefined || nodeId === undefined) continue;
      found.push({ networkInterfaceId, nodeId });
    }
  }
  return found;
}
