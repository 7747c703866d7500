import {
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  DescribeSecurityGroupsCommand,
  type Filter,
  type IpPermission,
  type SecurityGroup,
} from "@aws-sdk/client-ec2";
import { securityGroupName, tagNames } from "../../domain/cluster/names.ts";
import { type SecurityRule, securityRulesMax } from "../../domain/cluster/security-rules.ts";
import { SecurityGroupInUseError, type SecurityGroupUse } from "../../ports/compute.ts";
import { isAwsError } from "../errors.ts";
import { waitFor } from "../wait.ts";
import type { Fleet } from "./fleet.ts";
import { authorize, difference, revoke } from "./security-rules.ts";
import { ownedBy, tagSpecification } from "./tags.ts";

/** Interfaces that were just removed hold on to their group for some seconds. */
const removalDeadlineMs = 120_000;

export async function ensureSecurityGroup(
  fleet: Fleet,
  clusterId: string,
  rules: readonly SecurityRule[],
): Promise<{ securityGroupId: string }> {
  const { groupId, permissions } = await findOrCreateGroup(fleet, clusterId);
  const { missing } = difference(groupId, permissions, rules);
  await authorize(fleet, groupId, missing);
  return { securityGroupId: groupId };
}

async function findOrCreateGroup(fleet: Fleet, clusterId: string): Promise<FoundGroup> {
  const found = await findGroup(fleet, clusterId);
  return found ?? { groupId: await createGroup(fleet, clusterId), permissions: [] };
}

async function createGroup(fleet: Fleet, clusterId: string): Promise<string> {
  const owner = { environment: fleet.settings.environment, clusterId };
  try {
    const created = await fleet.client.send(
      new CreateSecurityGroupCommand({
        GroupName: securityGroupName(fleet.settings.environment, clusterId),
        Description: `Nodes of pgherd cluster ${clusterId}`,
        VpcId: fleet.settings.vpcId,
        TagSpecifications: tagSpecification("security-group", owner),
      }),
    );
    if (created.GroupId === undefined) throw new Error("CreateSecurityGroup answered no GroupId");
    return created.GroupId;
  } catch (error) {
    if (!isAwsError(error, ["InvalidGroup.Duplicate"])) throw error;
    return waitFor(
      "the security group's appearance",
      fleet.deadlines.describeLagMs,
      async () => (await findGroup(fleet, clusterId))?.groupId,
    );
  }
}

interface FoundGroup {
  readonly groupId: string;
  readonly permissions: readonly IpPermission[];
}

/** The name is unique in the VPC, so there is one or none. */
async function findGroup(fleet: Fleet, clusterId: string): Promise<FoundGroup | undefined> {
  const answer = await fleet.client.send(
    new DescribeSecurityGroupsCommand({
      Filters: [
        { Name: "group-name", Values: [securityGroupName(fleet.settings.environment, clusterId)] },
        { Name: "vpc-id", Values: [fleet.settings.vpcId] },
        ...ownedBy({ environment: fleet.settings.environment, clusterId }),
      ],
    }),
  );
  const { GroupId: groupId, IpPermissions: permissions = [] } = answer.SecurityGroups?.[0] ?? {};
  return groupId === undefined ? undefined : { groupId, permissions };
}

export async function areRulesCurrent(
  fleet: Fleet,
  clusterId: string,
  wanted: readonly SecurityRule[],
): Promise<boolean> {
  const group = await findGroup(fleet, clusterId);
  if (group === undefined) return false;
  const { missing, excess } = difference(group.groupId, group.permissions, wanted);
  return missing.length + excess.length === 0;
}

/**
 * First what is missing, so that nobody whom old and new rules let in is ever kept out; where EC2 has no room for both,
 * what is too much goes first.
 */
export async function applySecurityRules(
  fleet: Fleet,
  clusterId: string,
  wanted: readonly SecurityRule[],
): Promise<void> {
  const { groupId, permissions } = await findOrCreateGroup(fleet, clusterId);
  const { missing, excess } = difference(groupId, permissions, wanted);
  const letIn = () => authorize(fleet, groupId, missing);
  const takeAway = async () => {
    for (const permission of excess) await revoke(fleet, groupId, permission);
  };
  const isRoom = wanted.length + excess.length <= securityRulesMax;
  for (const act of isRoom ? [letIn, takeAway] : [takeAway, letIn]) await act();
}

/** By filters, as asking for an id that is not there is an error. */
export async function unknownSecurityGroups(
  fleet: Fleet,
  securityGroupIds: readonly string[],
): Promise<readonly string[]> {
  if (securityGroupIds.length === 0) return [];
  const there = await inVpc(fleet, { Name: "group-id", Values: [...securityGroupIds] });
  const known = new Set(there.map(({ GroupId }) => GroupId));
  return securityGroupIds.filter((id) => !known.has(id));
}

export async function securityGroupUse(fleet: Fleet, clusterId: string): Promise<SecurityGroupUse> {
  const securityGroupId = (await findGroup(fleet, clusterId))?.groupId ?? null;
  if (securityGroupId === null) return { securityGroupId, namedBy: [] };
  const filters = ["ip-permission.group-id", "egress.ip-permission.group-id"];
  const found = await Promise.all(filters.map((Name) => inVpc(fleet, { Name, Values: [securityGroupId] })));
  const named = new Map(
    found.flat().map(({ GroupId = "", Tags = [] }) => [
      GroupId,
      {
        securityGroupId: GroupId,
        clusterId: Tags.find(({ Key }) => Key === tagNames.cluster)?.Value ?? null,
      },
    ]),
  );
  named.delete(securityGroupId);
  return { securityGroupId, namedBy: [...named.values()] };
}

async function inVpc(fleet: Fleet, filter: Filter): Promise<SecurityGroup[]> {
  const { vpcId } = fleet.settings;
  const Filters = [{ Name: "vpc-id", Values: [vpcId] }, filter];
  return (await fleet.client.send(new DescribeSecurityGroupsCommand({ Filters }))).SecurityGroups ?? [];
}

export async function removeSecurityGroup(fleet: Fleet, clusterId: string): Promise<void> {
  await waitFor(`the removal of cluster ${clusterId}'s security group`, removalDeadlineMs, async () => {
    const groupId = (await findGroup(fleet, clusterId))?.groupId;
    if (groupId === undefined) return true;
    try {
      await fleet.client.send(new DeleteSecurityGroupCommand({ GroupId: groupId }));
      return true;
    } catch (error) {
      if (isAwsError(error, ["InvalidGroup.NotFound"])) return true;
      if (!isAwsError(error, ["DependencyViolation", "InvalidGroup.InUse"])) throw error;
      const use = await securityGroupUse(fleet, clusterId);
      if (use.namedBy.length > 0) throw new SecurityGroupInUseError(use, { cause: error });
      return undefined;
    }
  });
}
