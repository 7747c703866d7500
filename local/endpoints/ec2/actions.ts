import type { Ec2Context } from "./context.ts";
import {
  authorizeIngress,
  createSecurityGroup,
  deleteSecurityGroup,
  describeSecurityGroups,
  revokeIngress,
} from "./groups.ts";
import type { Input } from "./input.ts";
import { describeInstanceStatus, describeInstances, describeInstanceTypes } from "./instance-answers.ts";
import {
  rebootInstances,
  runInstances,
  startInstances,
  stopInstances,
  terminateInstances,
} from "./instances.ts";
import { createNetworkInterface, deleteNetworkInterface, describeNetworkInterfaces } from "./interfaces.ts";
import { createTags, deleteTags, describeTags } from "./tags.ts";
import { describeLaunchTemplates, describeLaunchTemplateVersions } from "./templates.ts";
import {
  attachVolume,
  createVolume,
  deleteVolume,
  describeVolumes,
  describeVolumesModifications,
  detachVolume,
  modifyVolume,
} from "./volumes.ts";
import { describeAvailabilityZones, describeRegions, describeSubnets, describeVpcs } from "./vpcs.ts";

type Answer = Record<string, unknown>;

interface Action {
  /** Parameters that the action knows; any other is refused. */
  readonly parameters: readonly string[];
  run(context: Ec2Context, input: Input): Answer | Promise<Answer>;
}

const paging = ["MaxResults", "NextToken"];
const listing = ["Filter", ...paging];
const rule = ["GroupId", "GroupName", "IpPermissions", "CidrIp", "IpProtocol", "FromPort", "ToPort"];

/** The calls that this EC2 answers. */
export const actions: Readonly<Record<string, Action>> = {
  DescribeInstances: { parameters: ["InstanceId", ...listing], run: describeInstances },
  DescribeInstanceStatus: {
    parameters: ["InstanceId", "IncludeAllInstances", ...listing],
    run: describeInstanceStatus,
  },
  DescribeInstanceTypes: { parameters: ["InstanceType", ...listing], run: describeInstanceTypes },
  RunInstances: {
    parameters: [
      ...["ClientToken", "IamInstanceProfile", "ImageId", "InstanceType", "LaunchTemplate", "MaxCount"],
      ...["MinCount", "NetworkInterface", "Placement", "SecurityGroupId", "SubnetId", "TagSpecification"],
      // Accepted and without effect: the image of the machines carries all that user data would do.
      ...["UserData", "MetadataOptions", "BlockDeviceMapping", "EbsOptimized", "Monitoring"],
      ...["InstanceInitiatedShutdownBehavior", "DisableApiTermination"],
    ],
    run: runInstances,
  },
  StartInstances: { parameters: ["InstanceId"], run: startInstances },
  StopInstances: { parameters: ["InstanceId", "Force", "SkipOsShutdown"], run: stopInstances },
  RebootInstances: { parameters: ["InstanceId"], run: rebootInstances },
  TerminateInstances: { parameters: ["InstanceId", "Force", "SkipOsShutdown"], run: terminateInstances },

  CreateVolume: {
    parameters: [
      ...["AvailabilityZone", "ClientToken", "Encrypted", "Iops", "KmsKeyId", "Size", "SnapshotId"],
      ...["TagSpecification", "Throughput", "VolumeType"],
    ],
    run: createVolume,
  },
  DeleteVolume: { parameters: ["VolumeId"], run: deleteVolume },
  DescribeVolumes: { parameters: ["VolumeId", ...listing], run: describeVolumes },
  AttachVolume: { parameters: ["VolumeId", "InstanceId", "Device"], run: attachVolume },
  DetachVolume: { parameters: ["VolumeId", "InstanceId", "Device", "Force"], run: detachVolume },
  ModifyVolume: {
    parameters: ["VolumeId", "Size", "VolumeType", "Iops", "Throughput"],
    run: modifyVolume,
  },
  DescribeVolumesModifications: {
    parameters: ["VolumeId", ...paging],
    run: describeVolumesModifications,
  },

  CreateNetworkInterface: {
    parameters: [
      ...[
        "ClientToken",
        "Description",
        "PrivateIpAddress",
        "SecurityGroupId",
        "SubnetId",
        "TagSpecification",
      ],
    ],
    run: createNetworkInterface,
  },
  DeleteNetworkInterface: { parameters: ["NetworkInterfaceId"], run: deleteNetworkInterface },
  DescribeNetworkInterfaces: {
    parameters: ["NetworkInterfaceId", ...listing],
    run: describeNetworkInterfaces,
  },

  CreateSecurityGroup: {
    parameters: ["GroupName", "GroupDescription", "VpcId", "TagSpecification"],
    run: createSecurityGroup,
  },
  DeleteSecurityGroup: { parameters: ["GroupId", "GroupName"], run: deleteSecurityGroup },
  DescribeSecurityGroups: {
    parameters: ["GroupId", "GroupName", ...listing],
    run: describeSecurityGroups,
  },
  AuthorizeSecurityGroupIngress: { parameters: rule, run: authorizeIngress },
  RevokeSecurityGroupIngress: { parameters: rule, run: revokeIngress },

  CreateTags: {
    parameters: ["ResourceId", "Tag"],
    run: (context, input) => createTags(context.state, input),
  },
  DeleteTags: {
    parameters: ["ResourceId", "Tag"],
    run: (context, input) => deleteTags(context.state, input),
  },
  DescribeTags: { parameters: listing, run: (context, input) => describeTags(context.state, input) },

  DescribeVpcs: { parameters: ["VpcId", ...listing], run: describeVpcs },
  DescribeSubnets: { parameters: ["SubnetId", ...listing], run: describeSubnets },
  DescribeAvailabilityZones: {
    parameters: ["ZoneName", "Filter", "AllAvailabilityZones"],
    run: describeAvailabilityZones,
  },
  DescribeRegions: { parameters: [], run: describeRegions },
  DescribeLaunchTemplates: {
    parameters: ["LaunchTemplateId", "LaunchTemplateName", ...listing],
    run: describeLaunchTemplates,
  },
  DescribeLaunchTemplateVersions: {
    parameters: ["LaunchTemplateId", "LaunchTemplateName", "LaunchTemplateVersion", ...paging],
    run: describeLaunchTemplateVersions,
  },
};
