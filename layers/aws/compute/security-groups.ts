import {
  AuthorizeSecurityGroupIngressCommand,
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
import { ownedBy, tagSpecification } from "./tags.ts";

/** Interfaces that were just removed hold on to their group for some seconds. */
const removalDeadlineMs = 120_000;

export async function ensureSecurityGroup(
  fleet: Fleet,
  clusterId: string,
  rules: readonly SecurityRule[],
): Promise<{ securityGroupId: string }> {
  const securityGroupId = (await findGroup(fleet, clusterId)) ?? (await createGroup(fleet, clusterId));
  await authorize(fleet, securityGroupId, rules);
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
    return waitFor("the security group's appearance", fleet.deadlines.describeLagMs, async () =>
      findGroup(fleet, clusterId),
    );
  }
}

/** The name is unique in the VPC, so there is one or none. */
export async function findGroup(fleet: Fleet, clusterId: string): Promise<string | undefined> {
  const answer = await fleet.client.send(
    new DescribeSecurityGroupsCommand({
      Filters: [
        { Name: "group-name", Values: [securityGroupName(fleet.settings.environment, clusterId)] },
        { Name: "vpc-id", Values: [fleet.settings.vpcId] },
        ...ownedBy({ environment: fleet.settings.environment, clusterId }),
      ],
    }),
  );
  return answer.SecurityGroups?.[0]?.GroupId;
}

async function authorize(fleet: Fleet, groupId: string, rules: readonly SecurityRule[]): Promise<void> {
  const permissions = rules.map((rule) => permissionOf(rule, groupId));
  if (await isAuthorized(fleet, groupId, permissions)) return;
  /** One rule that is there already refuses the whole call, so a repetition goes one by one. */
  for (const permission of permissions) await isAuthorized(fleet, groupId, [permission]);
}

async function isAuthorized(fleet: Fleet, groupId: string, permissions: IpPermission[]): Promise<boolean> {
  try {
    await fleet.client.send(
      new AuthorizeSecurityGroupIngressCommand({ GroupId: groupId, IpPermissions: permissions }),
    );
    return true;
  } catch (error) {
    if (isAwsError(error, ["InvalidPermission.Duplicate"])) return false;
    throw error;
  }
}

function permissionOf(rule: SecurityRule, groupId: string): IpPermission {
  const ports = { IpProtocol: "tcp", FromPort: rule.fromPort, ToPort: rule.toPort };
  return rule.source === "self"
    ? { ...ports, UserIdGroupPairs: [{ GroupId: groupId, Description: rule.description }] }
    : { ...ports, IpRanges: [{ CidrIp: rule.source.cidr, Description: rule.description }] };
}

export async function removeSecurityGroup(fleet: Fleet, clusterId: string): Promise<void> {
  await waitFor(`the removal of cluster ${clusterId}'s security group`, removalDeadlineMs, async () => {
    const groupId = await findGroup(fleet, clusterId);
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
