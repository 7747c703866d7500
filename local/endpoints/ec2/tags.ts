import { ServiceError } from "../service.ts";
import { notFound } from "./errors.ts";
import type { ResourceType } from "./ids.ts";
import { typeOfId } from "./ids.ts";
import { type Input, objectList, requiredText, requiredTextList, text } from "./input.ts";
import { filtered, paged } from "./listing.ts";
import type { Ec2State, Tags } from "./state.ts";

const tagsMax = 50;
const keyCharactersMax = 128;
const valueCharactersMax = 256;

/** The tags that a call gives to what it makes. */
export function tagsFor(type: ResourceType, input: Input): Tags {
  const all = objectList(input, "TagSpecification").flatMap((specification) => {
    const of = requiredText(specification, "ResourceType");
    return of === type ? tagList(specification) : [];
  });
  return checkedTags(Object.fromEntries(all));
}

function tagList(input: Input): [string, string][] {
  return objectList(input, "Tag").map((tag) => [requiredText(tag, "Key"), text(tag, "Value") ?? ""]);
}

function checkedTags(tags: Tags): Tags {
  const entries = Object.entries(tags);
  if (entries.length > tagsMax) {
    throw new ServiceError("TagLimitExceeded", `A resource can have at most ${tagsMax} tags.`);
  }
  for (const [key, value] of entries) {
    if (key.startsWith("aws:") || key.length > keyCharactersMax || value.length > valueCharactersMax) {
      throw new ServiceError("InvalidParameterValue", `The tag '${key}' is not allowed.`);
    }
  }
  return tags;
}

export function renderTags(tags: Tags): { key: string; value: string }[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

/** Where the resources of a type are kept; null for types without tags. */
function collectionOf(state: Ec2State, id: string) {
  switch (typeOfId(id)) {
    case "instance":
      return state.instances;
    case "volume":
      return state.volumes;
    case "network-interface":
      return state.interfaces;
    case "security-group":
      return state.groups;
    case "vpc":
      return state.vpcs;
    case "subnet":
      return state.subnets;
    case "launch-template":
      return state.templates;
    case "reservation":
    case null:
      return null;
    default:
      return null;
  }
}

/** The tags of a thing; none where there is no such thing. */
export function tagsOf(state: Ec2State, id: string): Tags {
  return collectionOf(state, id)?.get(id)?.tags ?? {};
}

function changeTags(state: Ec2State, ids: readonly string[], change: (tags: Tags) => Tags): void {
  state.documents.transaction(() => {
    for (const id of ids) {
      const collection = collectionOf(state, id);
      const record = collection?.get(id);
      if (collection === null || record === undefined) {
        const type = typeOfId(id);
        throw type === null
          ? new ServiceError("InvalidID", `The ID '${id}' is not valid`)
          : notFound(type, id);
      }
      // The record goes back to where it came from, so its type is the collection's.
      (collection as { put(id: string, value: unknown): void }).put(id, {
        ...record,
        tags: change(record.tags),
      });
    }
  });
}

export function createTags(state: Ec2State, input: Input): Record<string, unknown> {
  const given = Object.fromEntries(tagList(input));
  changeTags(state, requiredTextList(input, "ResourceId"), (tags) => checkedTags({ ...tags, ...given }));
  return { return: true };
}

export function deleteTags(state: Ec2State, input: Input): Record<string, unknown> {
  const given = objectList(input, "Tag").map((tag) => ({
    key: requiredText(tag, "Key"),
    value: tag["Value"],
  }));
  changeTags(state, requiredTextList(input, "ResourceId"), (tags) =>
    Object.fromEntries(
      Object.entries(tags).filter(
        ([key, value]) =>
          given.length > 0 && !given.some((tag) => tag.key === key && (tag.value ?? value) === value),
      ),
    ),
  );
  return { return: true };
}

export function describeTags(state: Ec2State, input: Input): Record<string, unknown> {
  const all = [
    ...state.instances.list().map((one) => ({ id: one.instanceId, type: "instance", tags: one.tags })),
    ...state.volumes.list().map((one) => ({ id: one.volumeId, type: "volume", tags: one.tags })),
    ...state.interfaces
      .list()
      .map((one) => ({ id: one.networkInterfaceId, type: "network-interface", tags: one.tags })),
    ...state.groups.list().map((one) => ({ id: one.groupId, type: "security-group", tags: one.tags })),
    ...state.vpcs.list().map((one) => ({ id: one.vpcId, type: "vpc", tags: one.tags })),
    ...state.subnets.list().map((one) => ({ id: one.subnetId, type: "subnet", tags: one.tags })),
    ...state.templates
      .list()
      .map((one) => ({ id: one.launchTemplateId, type: "launch-template", tags: one.tags })),
  ].flatMap(({ id, type, tags }) =>
    Object.entries(tags).map(([key, value]) => ({ resourceId: id, resourceType: type, key, value })),
  );
  const matching = filtered(
    all,
    input,
    (tag) => ({
      "resource-id": [tag.resourceId],
      "resource-type": [tag.resourceType],
      key: [tag.key],
      value: [tag.value],
    }),
    (tag) => ({ [tag.key]: tag.value }),
    ["resource-id", "resource-type", "key", "value"],
  );
  const { items, nextToken } = paged(matching, input, (tag) => `${tag.resourceId}/${tag.key}`);
  return { tagSet: items, nextToken };
}
