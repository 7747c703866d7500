import {
  AuthorizeSecurityGroupIngressCommand,
  type IpPermission,
  RevokeSecurityGroupIngressCommand,
} from "@aws-sdk/client-ec2";
import type { SecurityRule } from "../../domain/cluster/security-rules.ts";
import { isAwsError } from "../errors.ts";
import type { Fleet } from "./fleet.ts";

/** A permission with one source, and what tells it from others: descriptions do not. */
interface Rule {
  readonly key: string;
  readonly permission: IpPermission;
}

/** What of the wanted rules is not there, and what is there beyond them. */
export function difference(
  groupId: string,
  present: readonly IpPermission[],
  wanted: readonly SecurityRule[],
): { missing: IpPermission[]; excess: IpPermission[] } {
  const there = present.flatMap(rulesIn);
  const asked = wanted.flatMap((rule) => rulesIn(permissionOf(rule, groupId)));
  return { missing: without(asked, there), excess: without(there, asked) };
}

/** Each once: a cluster's own group that is named as another's is the same source, and EC2 refuses a call with both. */
function without(rules: readonly Rule[], others: readonly Rule[]): IpPermission[] {
  const known = new Set(others.map((other) => other.key));
  const left = new Map(rules.filter(({ key }) => !known.has(key)).map((rule) => [rule.key, rule.permission]));
  return [...left.values()];
}

/** EC2 shows the rules of the same ports as one permission with many sources. */
function rulesIn(permission: IpPermission): Rule[] {
  const { IpProtocol, FromPort, ToPort } = permission;
  const ports = { IpProtocol, FromPort, ToPort };
  const rule = (source: string | undefined, sources: Partial<IpPermission>): Rule => ({
    key: [IpProtocol, FromPort, ToPort, source].join(" "),
    permission: { ...ports, ...sources },
  });
  return [
    ...(permission.UserIdGroupPairs ?? []).map((one) => rule(one.GroupId, { UserIdGroupPairs: [one] })),
    ...(permission.IpRanges ?? []).map((one) => rule(one.CidrIp, { IpRanges: [one] })),
    ...(permission.Ipv6Ranges ?? []).map((one) => rule(one.CidrIpv6, { Ipv6Ranges: [one] })),
    ...(permission.PrefixListIds ?? []).map((one) => rule(one.PrefixListId, { PrefixListIds: [one] })),
  ];
}

export async function authorize(
  fleet: Fleet,
  groupId: string,
  permissions: readonly IpPermission[],
): Promise<void> {
  if (permissions.length === 0 || (await isAuthorized(fleet, groupId, permissions))) return;
  /** One rule that is there already refuses the whole call, so a repetition goes one by one. */
  for (const permission of permissions) await isAuthorized(fleet, groupId, [permission]);
}

async function isAuthorized(
  fleet: Fleet,
  groupId: string,
  permissions: readonly IpPermission[],
): Promise<boolean> {
  try {
    await fleet.client.send(
      new AuthorizeSecurityGroupIngressCommand({ GroupId: groupId, IpPermissions: [...permissions] }),
    );
    return true;
  } catch (error) {
    if (isAwsError(error, ["InvalidPermission.Duplicate"])) return false;
    throw error;
  }
}

/** One by one: a rule that is gone already refuses the whole call. */
export async function revoke(fleet: Fleet, groupId: string, permission: IpPermission): Promise<void> {
  try {
    await fleet.client.send(
      new RevokeSecurityGroupIngressCommand({ GroupId: groupId, IpPermissions: [permission] }),
    );
  } catch (error) {
    if (!isAwsError(error, ["InvalidPermission.NotFound"])) throw error;
  }
}

export function permissionOf(rule: SecurityRule, groupId: string): IpPermission {
  const ports = { IpProtocol: "tcp", FromPort: rule.fromPort, ToPort: rule.toPort };
  const { description: Description, source } = rule;
  if (source !== "self" && "cidr" in source)
    return { ...ports, IpRanges: [{ CidrIp: source.cidr, Description }] };
  const GroupId = source === "self" ? groupId : source.securityGroupId;
  return { ...ports, UserIdGroupPairs: [{ GroupId, Description }] };
}
