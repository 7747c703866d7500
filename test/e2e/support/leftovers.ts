import {
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
} from "@aws-sdk/client-ec2";
import { IAMClient, ListRolesCommand } from "@aws-sdk/client-iam";
import { GetParametersByPathCommand } from "@aws-sdk/client-ssm";
import { nodeRoleName, nodeRolePath, parameterPath, tagNames } from "@pgherd/layers/domain";
import { awsSettings, ec2Client, ssmClient } from "./aws.ts";
import type { Environment } from "./environment.ts";

/** What AWS still has of a cluster: `{}` of every kind is a clean slate. Terminated instances are gone, as in EC2. */
export async function leftovers(
  environment: Environment,
  clusterId: string,
): Promise<Record<string, string[]>> {
  const ec2 = await ec2Client(environment);
  const ssm = await ssmClient(environment);
  const iam = new IAMClient(await awsSettings(environment, "IAM"));
  const Filters = [{ Name: `tag:${tagNames.cluster}`, Values: [clusterId] }];
  const role = nodeRoleName("local", clusterId);
  const names = (values: readonly (string | undefined)[] | undefined) =>
    (values ?? []).filter((value) => value !== undefined);
  try {
    const [instances, interfaces, volumes, groups, parameters, roles] = await Promise.all([
      ec2.send(new DescribeInstancesCommand({ Filters })),
      ec2.send(new DescribeNetworkInterfacesCommand({ Filters })),
      ec2.send(new DescribeVolumesCommand({ Filters })),
      ec2.send(new DescribeSecurityGroupsCommand({ Filters })),
      ssm.send(new GetParametersByPathCommand({ Path: parameterPath("local", clusterId), Recursive: true })),
      iam.send(new ListRolesCommand({ PathPrefix: nodeRolePath("local"), MaxItems: 1_000 })),
    ]);
    const alive = (instances.Reservations ?? [])
      .flatMap((reservation) => reservation.Instances ?? [])
      .filter((instance) => instance.State?.Name !== "terminated");
    const found = {
      instances: names(alive.map((instance) => instance.InstanceId)),
      interfaces: names(interfaces.NetworkInterfaces?.map((item) => item.NetworkInterfaceId)),
      volumes: names(volumes.Volumes?.map((volume) => volume.VolumeId)),
      securityGroups: names(groups.SecurityGroups?.map((group) => group.GroupId)),
      roles: names(roles.Roles?.map(({ RoleName }) => RoleName)).filter((name) => name === role),
      parameters: names(parameters.Parameters?.map((parameter) => parameter.Name)),
    };
    return Object.fromEntries(Object.entries(found).filter(([, items]) => items.length > 0));
  } finally {
    ec2.destroy();
    ssm.destroy();
    iam.destroy();
  }
}
