import { isObject } from "../input.ts";
import { idFor } from "./ids.ts";
import { rulesOf } from "./permissions.ts";
import type { Ec2State, GroupRecord, Tags, TemplateData, TemplateVersion } from "./state.ts";

/**
 * Makes what a CloudFormation template describes. `key` is the resource's logical id: the same key finds the same
 * resource at the next deployment, and its properties become those of the template.
 */
export type Properties = Readonly<Record<string, unknown>>;

export interface DeployedVpc {
  readonly vpcId: string;
  readonly cidrBlock: string;
  readonly defaultSecurityGroupId: string;
}

export function ensureVpc(state: Ec2State, key: string, properties: Properties): DeployedVpc {
  const vpcId = idFor("vpc", key);
  const cidrBlock = textOf(properties, "CidrBlock");
  const defaultGroupId = idFor("security-group", `${key}/default`);
  state.documents.transaction(() => {
    state.vpcs.put(vpcId, { vpcId, cidr: cidrBlock, defaultGroupId, tags: tagsOf(properties["Tags"]) });
    if (state.groups.get(defaultGroupId) !== undefined) return;
    state.groups.put(defaultGroupId, {
      groupId: defaultGroupId,
      groupName: "default",
      description: "default VPC security group",
      vpcId,
      // As on EC2: its members reach each other.
      ingress: [
        { protocol: "-1", fromPort: -1, toPort: -1, source: { groupId: defaultGroupId }, description: null },
      ],
      tags: {},
    });
  });
  return { vpcId, cidrBlock, defaultSecurityGroupId: defaultGroupId };
}

export function ensureSubnet(state: Ec2State, key: string, properties: Properties): { subnetId: string } {
  const subnetId = idFor("subnet", key);
  state.subnets.put(subnetId, {
    subnetId,
    vpcId: textOf(properties, "VpcId"),
    cidr: textOf(properties, "CidrBlock"),
    zone: textOf(properties, "AvailabilityZone"),
    tags: tagsOf(properties["Tags"]),
  });
  return { subnetId };
}

export function ensureSecurityGroup(
  state: Ec2State,
  key: string,
  properties: Properties,
): { groupId: string; vpcId: string } {
  const groupId = idFor("security-group", key);
  const group: GroupRecord = {
    groupId,
    groupName: optionalText(properties, "GroupName") ?? key,
    description: textOf(properties, "GroupDescription"),
    vpcId: textOf(properties, "VpcId"),
    ingress: [],
    tags: tagsOf(properties["Tags"]),
  };
  state.groups.put(groupId, group);
  const ingress = listOf(properties["SecurityGroupIngress"]).flatMap((rule) =>
    rulesOf(state, { IpPermissions: [permissionOf(rule)] }, group),
  );
  state.groups.put(groupId, { ...group, ingress });
  return { groupId, vpcId: group.vpcId };
}

/** CloudFormation's form of a rule in that of the API. */
function permissionOf(rule: Properties): Record<string, unknown> {
  const description = optionalText(rule, "Description");
  const described = description === null ? {} : { Description: description };
  const cidr = optionalText(rule, "CidrIp");
  const groupId = optionalText(rule, "SourceSecurityGroupId");
  return {
    IpProtocol: String(rule["IpProtocol"]),
    ...(rule["FromPort"] === undefined ? {} : { FromPort: String(rule["FromPort"]) }),
    ...(rule["ToPort"] === undefined ? {} : { ToPort: String(rule["ToPort"]) }),
    ...(cidr === null ? {} : { IpRanges: [{ CidrIp: cidr, ...described }] }),
    ...(groupId === null ? {} : { Groups: [{ GroupId: groupId, ...described }] }),
  };
}

export interface DeployedLaunchTemplate {
  readonly launchTemplateId: string;
  readonly launchTemplateName: string;
  readonly latestVersionNumber: string;
  readonly defaultVersionNumber: string;
}

/** Other data becomes another version; what was launched before keeps its own. */
export function ensureLaunchTemplate(
  state: Ec2State,
  key: string,
  properties: Properties,
  now: Date,
): DeployedLaunchTemplate {
  const launchTemplateId = idFor("launch-template", key);
  const launchTemplateName = optionalText(properties, "LaunchTemplateName") ?? key;
  const data = templateData(properties["LaunchTemplateData"]);
  const present = state.templates.get(launchTemplateId);
  const versions = withVersion(present?.versions ?? [], data, now);
  state.templates.put(launchTemplateId, {
    launchTemplateId,
    launchTemplateName,
    createdAt: present?.createdAt ?? now.toISOString(),
    // CloudFormation leaves the default at the first version.
    defaultVersion: present?.defaultVersion ?? 1,
    versions,
    tags: {},
  });
  return {
    launchTemplateId,
    launchTemplateName,
    latestVersionNumber: String(versions.at(-1)?.version ?? 1),
    defaultVersionNumber: String(present?.defaultVersion ?? 1),
  };
}

function withVersion(versions: readonly TemplateVersion[], data: TemplateData, now: Date): TemplateVersion[] {
  const latest = versions.at(-1);
  if (latest !== undefined && JSON.stringify(latest.data) === JSON.stringify(data)) return [...versions];
  return [...versions, { version: (latest?.version ?? 0) + 1, createdAt: now.toISOString(), data }];
}

function templateData(value: unknown): TemplateData {
  const data = isObject(value) ? value : {};
  const profile = isObject(data["IamInstanceProfile"]) ? data["IamInstanceProfile"] : {};
  return {
    imageId: optionalText(data, "ImageId"),
    instanceType: optionalText(data, "InstanceType"),
    instanceProfileArn: optionalText(profile, "Arn") ?? optionalText(profile, "Name"),
    tags: Object.fromEntries(
      listOf(data["TagSpecifications"]).map((one) => [textOf(one, "ResourceType"), tagsOf(one["Tags"])]),
    ),
    volumes: listOf(data["BlockDeviceMappings"]).map((one) => {
      const volume = isObject(one["Ebs"]) ? one["Ebs"] : {};
      return { encrypted: volume["Encrypted"] === true, keyArn: optionalText(volume, "KmsKeyId") };
    }),
  };
}

function tagsOf(value: unknown): Tags {
  return Object.fromEntries(listOf(value).map((tag) => [textOf(tag, "Key"), textOf(tag, "Value")]));
}

function listOf(value: unknown): Properties[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function optionalText(properties: Properties, name: string): string | null {
  const value = properties[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== "string") throw new Error(`${name} must be text in the template`);
  return value;
}

function textOf(properties: Properties, name: string): string {
  const value = optionalText(properties, name);
  if (value === null) throw new Error(`${name} is missing in the template`);
  return value;
}
