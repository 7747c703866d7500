import {
  paginateDescribeInstances,
  paginateDescribeNetworkInterfaces,
  paginateDescribeVolumes,
  type Tag,
} from "@aws-sdk/client-ec2";
import { tagNames } from "../../domain/cluster/names.ts";
import type { SecurityRule } from "../../domain/cluster/security-rules.ts";
import type { Survey } from "../../ports/compute.ts";
import { onAllPages } from "../pages.ts";
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

function instancesOf(fleet: Fleet, clusterId: string): Promise<Survey["instances"]> {
  return onAllPages(paginateDescribeInstances(fleet, query(fleet, clusterId)), ({ Reservations }) =>
    Reservations?.flatMap((reservation) => reservation.Instances ?? []).flatMap((one) => {
      const { InstanceId: instanceId, InstanceType: instanceType } = one;
      const nodeId = nodeOf(one.Tags);
      const state = one.State?.Name;
      if (state === undefined || state === "shutting-down" || state === "terminated") return [];
      if (instanceId === undefined || instanceType === undefined || nodeId === undefined) return [];
      return [{ instanceId, nodeId, instanceType, state }];
    }),
  );
}

function volumesOf(fleet: Fleet, clusterId: string): Promise<Survey["volumes"]> {
  return onAllPages(paginateDescribeVolumes(fleet, query(fleet, clusterId)), ({ Volumes }) =>
    Volumes?.flatMap(({ VolumeId: volumeId, Size: sizeGiB, State, Tags }) => {
      const nodeId = nodeOf(Tags);
      if (goneStates.includes(State)) return [];
      if (volumeId === undefined || sizeGiB === undefined || nodeId === undefined) return [];
      return [{ volumeId, nodeId, sizeGiB }];
    }),
  );
}

function interfacesOf(fleet: Fleet, clusterId: string): Promise<Survey["networkInterfaces"]> {
  const pages = paginateDescribeNetworkInterfaces(fleet, query(fleet, clusterId));
  return onAllPages(pages, ({ NetworkInterfaces }) =>
    NetworkInterfaces?.flatMap(({ NetworkInterfaceId: networkInterfaceId, TagSet }) => {
      const nodeId = nodeOf(TagSet);
      return networkInterfaceId === undefined || nodeId === undefined ? [] : [{ networkInterfaceId, nodeId }];
    }),
  );
}
