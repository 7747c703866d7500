import {
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  DescribeSecurityGroupsCommand,
  type IpPermission,
} from "@aws-sdk/client-ec2";
import { securityGroupName } from "../../domain/cluster/names.ts";
import type { SecurityRule } from "../../domain/cluster/security-rules.ts";
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
  const found = await findGroup(fleet, clusterId);
  const securityGroupId = found?.groupId ?? (await createGroup(fleet, clusterId));
  const { missing } = difference(securityGroupId, found?.permissions ?? [], rules);
  await authorize(fleet, securityGroupId, missing);
  return { securityGroupId };
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

/** First what is missing, so that nobody whom old and new rules let in is ever kept out. */
export async function applySecurityRules(
  fleet: Fleet,
  clusterId: string,
  wanted: readonly SecurityRule[],
): Promise<void> {
  const group = await findGroup(fleet, clusterId);
  if (group === undefined) throw new Error(`cluster ${clusterId} has no security group`);
  const { missing, excess } = difference(group.groupId, group.permissions, wanted);
  await authorize(fleet, group.groupId, missing);
  for (const permission of excess) await revoke(fleet, group.groupId, permission);
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
      if (isAwsError(error, ["DependencyViolation", "InvalidGroup.InUse"])) return undefined;
      throw error;
    }
  });
}
