import { ServiceError } from "../service.ts";
import type { Ec2Context } from "./context.ts";
import { invalidValue, missingParameter, notFound } from "./errors.ts";
import { newId } from "./ids.ts";
import { type Input, requiredText, text, textList } from "./input.ts";
import { filtered, paged, selected } from "./listing.ts";
import { renderPermissions, rulesOf, sameRule } from "./permissions.ts";
import type { GroupRecord } from "./state.ts";
import { renderTags, tagsFor } from "./tags.ts";

const nameCharactersMax = 255;
/** EC2's quota of inbound rules. */
const rulesMax = 60;

export function createSecurityGroup(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const groupName = checkedName("GroupName", requiredText(input, "GroupName"));
  const description = checkedName("GroupDescription", requiredText(input, "GroupDescription"));
  const vpcId = requiredText(input, "VpcId");
  if (state.vpcs.get(vpcId) === undefined) throw notFound("vpc", vpcId);
  if (groupName.startsWith("sg-") || groupName === "default") throw invalidValue("GroupName", groupName);
  if (state.groups.list().some((one) => one.vpcId === vpcId && one.groupName === groupName)) {
    throw new ServiceError(
      "InvalidGroup.Duplicate",
      `The security group '${groupName}' already exists for VPC '${vpcId}'`,
    );
  }
  const groupId = newId("security-group");
  const tags = tagsFor("security-group", input);
  state.groups.put(groupId, { groupId, groupName, description, vpcId, ingress: [], tags });
  return { return: true, groupId, tagSet: renderTags(tags), securityGroupArn: arnOf(context, groupId) };
}

function checkedName(parameter: string, value: string): string {
  const allowed = /^[a-zA-Z0-9 ._\-:/()#,@[\]+=&;{}!$*]+$/;
  if (value.length > nameCharactersMax || !allowed.test(value)) throw invalidValue(parameter, value);
  return value;
}

function arnOf(context: Ec2Context, groupId: string): string {
  return `arn:aws:ec2:${context.region}:${context.account}:security-group/${groupId}`;
}

/** The group that a call names, by id or by name. */
function named(context: Ec2Context, input: Input): GroupRecord {
  const groupId = text(input, "GroupId");
  if (groupId !== null) {
    const found = context.state.groups.get(groupId);
    if (found === undefined) throw notFound("security-group", groupId);
    return found;
  }
  const name = text(input, "GroupName");
  if (name === null) throw missingParameter("GroupId");
  const found = context.state.groups.list().find((one) => one.groupName === name);
  if (found === undefined) {
    throw new ServiceError("InvalidGroup.NotFound", `The security group '${name}' does not exist`);
  }
  return found;
}

export function deleteSecurityGroup(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const { groupId, groupName } = named(context, input);
  if (groupName === "default") {
    throw new ServiceError(
      "CannotDelete",
      `the specified group: "${groupId}" name: "default" cannot be deleted`,
    );
  }
  const inUse =
    state.interfaces.list().some((one) => one.groupIds.includes(groupId)) ||
    state.groups.list().some((one) => one.groupId !== groupId && refersTo(one, groupId));
  if (inUse) {
    throw new ServiceError("DependencyViolation", `resource ${groupId} has a dependent object`);
  }
  state.groups.delete(groupId);
  return { return: true, groupId };
}

export function refersTo(group: GroupRecord, groupId: string): boolean {
  return group.ingress.some((rule) => "groupId" in rule.source && rule.source.groupId === groupId);
}

export async function authorizeIngress(context: Ec2Context, input: Input): Promise<Record<string, unknown>> {
  const group = named(context, input);
  const rules = rulesOf(context.state, input, group);
  if (rules.some((rule, index) => rules.slice(0, index).some((earlier) => sameRule(earlier, rule)))) {
    throw invalidValue("IpPermissions", "", "The same permission must not appear multiple times");
  }
  for (const rule of rules) {
    if (group.ingress.some((present) => sameRule(present, rule))) {
      const peer = "cidr" in rule.source ? rule.source.cidr : rule.source.groupId;
      throw new ServiceError(
        "InvalidPermission.Duplicate",
        `the specified rule "peer: ${peer}, ${rule.protocol}, from port: ${rule.fromPort}, to port: ${rule.toPort}, ALLOW" already exists`,
      );
    }
  }
  if (group.ingress.length + rules.length > rulesMax) {
    throw new ServiceError(
      "RulesPerSecurityGroupLimitExceeded",
      "The maximum number of rules per security group has been reached.",
    );
  }
  const ingress = [...group.ingress, ...rules];
  context.state.groups.put(group.groupId, { ...group, ingress });
  await context.machines.refreshIngress([group.groupId]);
  return { return: true };
}

export async function revokeIngress(context: Ec2Context, input: Input): Promise<Record<string, unknown>> {
  const group = named(context, input);
  const rules = rulesOf(context.state, input, group);
  for (const rule of rules) {
    if (!group.ingress.some((present) => sameRule(present, rule))) {
      throw new ServiceError(
        "InvalidPermission.NotFound",
        "The specified rule does not exist in this security group.",
      );
    }
  }
  const ingress = group.ingress.filter((present) => !rules.some((rule) => sameRule(present, rule)));
  context.state.groups.put(group.groupId, { ...group, ingress });
  await context.machines.refreshIngress([group.groupId]);
  return { return: true };
}

export function describeSecurityGroups(context: Ec2Context, input: Input): Record<string, unknown> {
  const { state } = context;
  const names = textList(input, "GroupName");
  const groups = selected(
    textList(input, "GroupId"),
    () => state.groups.list(),
    (id) => state.groups.get(id),
    (id) => notFound("security-group", id),
  ).filter((group) => names.length === 0 || names.includes(group.groupName));
  const matching = filtered(
    groups,
    input,
    (group) => ({
      "group-id": [group.groupId],
      "group-name": [group.groupName],
      "vpc-id": [group.vpcId],
      "owner-id": [context.account],
      description: [group.description],
      "ip-permission.cidr": group.ingress.flatMap((rule) =>
        "cidr" in rule.source ? [rule.source.cidr] : [],
      ),
      "ip-permission.group-id": group.ingress.flatMap((rule) =>
        "groupId" in rule.source ? [rule.source.groupId] : [],
      ),
      // What leaves goes to addresses here, and names no group.
      "egress.ip-permission.group-id": [],
      "ip-permission.from-port": group.ingress.map((rule) => rule.fromPort),
      "ip-permission.to-port": group.ingress.map((rule) => rule.toPort),
      "ip-permission.protocol": group.ingress.map((rule) => rule.protocol),
    }),
    (group) => group.tags,
    [
      ...["group-id", "group-name", "vpc-id", "owner-id", "description", "ip-permission.cidr"],
      ...[
        "ip-permission.group-id",
        "egress.ip-permission.group-id",
        "ip-permission.from-port",
        "ip-permission.to-port",
        "ip-permission.protocol",
      ],
    ],
  );
  const { items, nextToken } = paged(matching, input, (group) => group.groupId);
  return { securityGroupInfo: items.map((group) => renderGroup(context, group)), nextToken };
}

function renderGroup(context: Ec2Context, group: GroupRecord): Record<string, unknown> {
  return {
    groupId: group.groupId,
    groupName: group.groupName,
    groupDescription: group.description,
    vpcId: group.vpcId,
    ownerId: context.account,
    securityGroupArn: arnOf(context, group.groupId),
    ipPermissions: renderPermissions(group.ingress, context.account),
    // Everything may leave; nothing here takes that away.
    ipPermissionsEgress: [
      {
        ipProtocol: "-1",
        ipRanges: [{ cidrIp: "0.0.0.0/0" }],
        groups: [],
        ipv6Ranges: [],
        prefixListIds: [],
      },
    ],
    tagSet: renderTags(group.tags),
  };
}
