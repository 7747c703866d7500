import type { ResourceType } from "../targets.ts";

/** Networks and how instances start, in the EC2 endpoint. */
export const networkResources: Readonly<Record<string, ResourceType>> = {
  "AWS::EC2::VPC": {
    make: (properties, { targets, key }) => {
      const vpc = targets.ec2.ensureVpc(key, properties);
      return {
        ref: vpc.vpcId,
        attributes: {
          VpcId: vpc.vpcId,
          CidrBlock: vpc.cidrBlock,
          DefaultSecurityGroup: vpc.defaultSecurityGroupId,
        },
      };
    },
  },
  "AWS::EC2::Subnet": {
    make: (properties, { targets, key }) => {
      const { subnetId } = targets.ec2.ensureSubnet(key, properties);
      return { ref: subnetId, attributes: { SubnetId: subnetId } };
    },
  },
  "AWS::EC2::SecurityGroup": {
    make: (properties, { targets, key }) => {
      const { groupId, vpcId } = targets.ec2.ensureSecurityGroup(key, properties);
      return { ref: groupId, attributes: { GroupId: groupId, VpcId: vpcId } };
    },
  },
  "AWS::EC2::LaunchTemplate": {
    make: (properties, { targets, key }) => {
      const template = targets.ec2.ensureLaunchTemplate(key, properties);
      return {
        ref: template.launchTemplateId,
        attributes: {
          LaunchTemplateId: template.launchTemplateId,
          LatestVersionNumber: template.latestVersionNumber,
          DefaultVersionNumber: template.defaultVersionNumber,
        },
      };
    },
  },
};
