import type { Filter, ResourceType, Tag, TagSpecification } from "@aws-sdk/client-ec2";
import { tagNames } from "../../domain/cluster/names.ts";
import type { Placement } from "../../ports/compute.ts";

/** Whose a resource is. */
export interface Owner {
  readonly environment: string;
  readonly clusterId: string;
  readonly nodeId?: string;
  readonly generation?: Placement["generation"];
}

function tagsOf(owner: Owner): Tag[] {
  const node = owner.nodeId === undefined ? [] : [{ Key: tagNames.node, Value: owner.nodeId }];
  return [
    { Key: "Name", Value: `pgherd-${owner.environment}-${owner.nodeId ?? owner.clusterId}` },
    { Key: tagNames.environment, Value: owner.environment },
    { Key: tagNames.cluster, Value: owner.clusterId },
    ...node,
    ...(owner.generation === undefined ? [] : [{ Key: tagNames.place, Value: owner.generation }]),
  ];
}

/** For a Create call: nothing of ours exists for a moment without its tags. */
export function tagSpecification(type: ResourceType, owner: Owner): TagSpecification[] {
  return [{ ResourceType: type, Tags: tagsOf(owner) }];
}

/** For a Describe call: the resources that {@link tagSpecification} marked. */
export function ownedBy(owner: Owner): Filter[] {
  return tagsOf(owner)
    .filter((tag) => tag.Key !== "Name")
    .map((tag) => ({ Name: `tag:${tag.Key}`, Values: [tag.Value ?? ""] }));
}
