import {
  AttachVolumeCommand,
  CreateNetworkInterfaceCommand,
  CreateSecurityGroupCommand,
  CreateVolumeCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  EC2Client,
  type Instance,
  RunInstancesCommand,
} from "@aws-sdk/client-ec2";
import { vi } from "vitest";
import { Ec2Service } from "../../../../local/endpoints/ec2/service.ts";
import type { ObjectFront } from "../../../../local/endpoints/server.ts";
import type { Service } from "../../../../local/endpoints/service.ts";
import { Documents } from "../../../../local/state/documents.ts";
import { account, region, startEndpoints } from "./endpoints.ts";
import { PaperDriver } from "./paper-driver.ts";

export const zones = ["local-1a", "local-1b", "local-1c"] as const;

/** What else an endpoint serves. */
export interface Beside {
  readonly services: (ec2: Ec2Service) => readonly Service[];
  readonly objects?: ObjectFront;
}

/** An EC2 with a VPC, three subnets and a launch template, spoken to by the real SDK. */
export async function startEc2(
  documents = new Documents(":memory:"),
  driver = new PaperDriver(),
  beside: Beside = { services: () => [] },
) {
  const behind: unknown[] = [];
  const ec2 = new Ec2Service({
    documents,
    driver,
    imagePath: "/image",
    account,
    region,
    zones,
    onError: (error) => behind.push(error),
  });
  const { vpcId, defaultSecurityGroupId } = ec2.ensureVpc("Vpc", { CidrBlock: "198.18.0.0/22" });
  const subnets = zones.map(
    (zone, index) =>
      ec2.ensureSubnet(`Subnet${index}`, {
        VpcId: vpcId,
        CidrBlock: `198.18.${index}.0/24`,
        AvailabilityZone: zone,
      }).subnetId,
  );
  const { launchTemplateId } = ec2.ensureLaunchTemplate("Node", {
    LaunchTemplateName: "node",
    LaunchTemplateData: {
      ImageId: "ami-00010ca1",
      InstanceType: "t4g.small",
      IamInstanceProfile: { Arn: `arn:aws:iam::${account}:instance-profile/node` },
      TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "from", Value: "template" }] }],
    },
  });
  const endpoints = await startEndpoints([ec2, ...beside.services(ec2)], beside.objects);
  const client = new EC2Client({ ...endpoints.operator, maxAttempts: 1 });
  const world = new Ec2World(client, { vpcId, subnets, launchTemplateId });
  return {
    ...{ ec2, driver, documents, client, world, behind, vpcId, defaultSecurityGroupId, subnets },
    launchTemplateId,
    recorder: endpoints.recorder,
    faults: endpoints.faults,
    operator: endpoints.operator,
    close: async () => {
      client.destroy();
      ec2.close();
      await endpoints.close();
    },
  };
}

export type Ec2 = Awaited<ReturnType<typeof startEc2>>;

/** What tests need to be there before they begin. */
export class Ec2World {
  readonly #client: EC2Client;
  readonly #ids: { vpcId: string; subnets: readonly string[]; launchTemplateId: string };

  constructor(
    client: EC2Client,
    ids: { vpcId: string; subnets: readonly string[]; launchTemplateId: string },
  ) {
    this.#client = client;
    this.#ids = ids;
  }

  async group(name = "group"): Promise<string> {
    const answer = await this.#client.send(
      new CreateSecurityGroupCommand({ GroupName: name, Description: name, VpcId: this.#ids.vpcId }),
    );
    return given(answer.GroupId);
  }

  async networkInterface(groups: string[] = [], zone = 0): Promise<{ id: string; address: string }> {
    const answer = await this.#client.send(
      new CreateNetworkInterfaceCommand({ SubnetId: this.#ids.subnets[zone], Groups: groups }),
    );
    const { NetworkInterfaceId, PrivateIpAddress } = answer.NetworkInterface ?? {};
    return { id: given(NetworkInterfaceId), address: given(PrivateIpAddress) };
  }

  async launch(networkInterfaceId: string, token?: string, type?: "t4g.medium"): Promise<Instance> {
    const answer = await this.#client.send(
      new RunInstancesCommand({
        LaunchTemplate: { LaunchTemplateId: this.#ids.launchTemplateId, Version: "$Latest" },
        MinCount: 1,
        MaxCount: 1,
        NetworkInterfaces: [{ DeviceIndex: 0, NetworkInterfaceId: networkInterfaceId }],
        ...(token === undefined ? {} : { ClientToken: token }),
        ...(type === undefined ? {} : { InstanceType: type }),
      }),
    );
    return given(answer.Instances?.[0]);
  }

  /** An instance that runs. */
  async running(
    groups: string[] = [],
    zone = 0,
  ): Promise<{ id: string; interfaceId: string; address: string }> {
    const networkInterface = await this.networkInterface(groups, zone);
    const id = given((await this.launch(networkInterface.id)).InstanceId);
    await this.reaches(id, "running");
    return { id, interfaceId: networkInterface.id, address: networkInterface.address };
  }

  async volume(sizeGiB = 1, zone = 0): Promise<string> {
    const answer = await this.#client.send(
      new CreateVolumeCommand({ AvailabilityZone: zones[zone], Size: sizeGiB, VolumeType: "gp3" }),
    );
    const id = given(answer.VolumeId);
    await vi.waitFor(async () => {
      const volumes = await this.#client.send(new DescribeVolumesCommand({ VolumeIds: [id] }));
      if (volumes.Volumes?.[0]?.State !== "available") throw new Error("not available yet");
    });
    return id;
  }

  async attach(volumeId: string, instanceId: string): Promise<void> {
    await this.#client.send(
      new AttachVolumeCommand({ VolumeId: volumeId, InstanceId: instanceId, Device: "/dev/sdf" }),
    );
  }

  async describe(instanceId: string): Promise<Instance> {
    const answer = await this.#client.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] }));
    return given(answer.Reservations?.[0]?.Instances?.[0]);
  }

  async reaches(instanceId: string, state: string): Promise<Instance> {
    return vi.waitFor(async () => {
      const instance = await this.describe(instanceId);
      if (instance.State?.Name !== state) throw new Error(`${instanceId} is ${instance.State?.Name}`);
      return instance;
    });
  }
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("EC2 answered less than it should");
  return value;
}

/** The error code that a call ends with. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
  return "(succeeded)";
}
