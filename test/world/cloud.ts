import {
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  EC2Client,
  type EC2ClientConfig,
} from "@aws-sdk/client-ec2";
import { ListSchedulesCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { DescribeParametersCommand, SSMClient } from "@aws-sdk/client-ssm";
import type { MakingPorts } from "../../functions/workflows/create-cluster/ports.ts";
import { nodeDocumentContent } from "../../infra/constructs/node-document.ts";
import { SsmNodeCommands } from "../../layers/aws/commands.ts";
import type { Deadlines } from "../../layers/aws/compute/fleet.ts";
import { Ec2Compute } from "../../layers/aws/compute.ts";
import { IamNodeIdentities } from "../../layers/aws/identities.ts";
import { SchedulerBackupSchedules } from "../../layers/aws/scheduler.ts";
import { ParameterStoreSecrets } from "../../layers/aws/secrets.ts";
import { DynamoStore } from "../../layers/aws/store.ts";
import { cipherPassParameter, type EnvironmentSettings, nodeRoleName } from "../../layers/domain/index.ts";
import { Ec2Service } from "../../local/endpoints/ec2/service.ts";
import type { Faults } from "../../local/endpoints/faults.ts";
import { Boundaries } from "../../local/endpoints/iam/boundaries.ts";
import { allows } from "../../local/endpoints/iam/policy.ts";
import { RoleFacts } from "../../local/endpoints/iam/roles.ts";
import { IamService } from "../../local/endpoints/iam/service.ts";
import { SchedulerService } from "../../local/endpoints/scheduler/service.ts";
import { SsmService } from "../../local/endpoints/ssm/service.ts";
import { plain } from "../../local/permissions/use.ts";
import { Documents } from "../../local/state/documents.ts";
import { account, region, startEndpoints } from "../unit/local/support/endpoints.ts";
import type { DynamoDB } from "./dynamodb.ts";
import { PaperMachines } from "./paper-machines.ts";
import { paperSettings } from "./settings.ts";

const { environment } = paperSettings;
export const zones = ["local-1a", "local-1b", "local-1c"] as const;

/** Failures in tests must not wait as long as EC2 might take. */
const deadlines: Deadlines = {
  describeLagMs: 2_000,
  terminationMs: 5_000,
  releaseMs: 1_500,
  profileMs: 2_000,
  volumeMs: 2_000,
  growthMs: 2_000,
};

/** Our own AWS endpoints over machines on paper, and the product's adapters speaking to them. */
export interface Cloud extends AsyncDisposable {
  readonly ports: MakingPorts;
  readonly machines: PaperMachines;
  readonly ec2: Ec2Service;
  readonly faults: Faults;
  readonly scheduler: SchedulerService;
  /** What schedules have started: functions and what they were told. */
  readonly fired: string[];
  readonly documents: Documents;
  /** For AWS clients of a test's own. */
  readonly operator: EC2ClientConfig;
  /** What is there of any cluster, as the endpoints themselves list it. */
  leftovers(): Promise<string[]>;
}

export async function openCloud(dynamodb: DynamoDB): Promise<Cloud> {
  const documents = new Documents(":memory:");
  const machines = new PaperMachines();
  const ec2 = new Ec2Service({
    documents,
    driver: machines,
    imagePath: "/nowhere",
    account,
    region,
    zones,
  });
  const ssm = new SsmService({
    documents,
    driver: machines,
    inventory: ec2,
    vaultKey: Buffer.alloc(32, 3),
    region,
    account,
    machineEnvironment: { endpointUrl: "http://198.18.0.1:1", region, serviceEndpointUrls: {} },
  });
  const fired: string[] = [];
  const scheduler = new SchedulerService({
    documents,
    region,
    account,
    invoke: async (target, payload) => fired.push(`${target.split(":").at(-1)} ${payload}`),
  });
  const endpoints = await startEndpoints([ec2, ssm, scheduler, new IamService({ documents, account })]);
  const settings = deploy(ec2, ssm, scheduler);
  new Boundaries(documents).put(settings.nodeRoles.boundaryArn, everything);
  const { operator } = endpoints;
  const table = await dynamodb.createTable();
  const ports: MakingPorts = {
    settings,
    region,
    store: new DynamoStore(table, dynamodb.config),
    compute: new Ec2Compute(settings, { config: operator, deadlines }),
    commands: new SsmNodeCommands(settings, operator),
    secrets: new ParameterStoreSecrets(settings, operator),
    schedules: new SchedulerBackupSchedules(settings, operator),
    identities: new IamNodeIdentities({ region, settings }, { config: operator, settleMs: 2_000 }),
    repositories: machines.backups,
  };
  machines.readSecret = ports.secrets.find;
  machines.mayRead = (clusterId, owner) => mayRead(documents, clusterId, owner);
  const clients = {
    ec2: new EC2Client(operator),
    ssm: new SSMClient(operator),
    scheduler: new SchedulerClient(operator),
  };
  return {
    ports,
    machines,
    ec2,
    scheduler,
    fired,
    faults: endpoints.faults,
    documents,
    operator,
    leftovers: async () => [
      ...(await listed(clients)),
      ...rolesIn(documents),
      ...(await dynamodb.scan(table)).flatMap((item) => claimOf(item)),
    ],
    [Symbol.asyncDispose]: async () => {
      clients.ec2.destroy();
      clients.ssm.destroy();
      clients.scheduler.destroy();
      ec2.close();
      await endpoints.close();
    },
  };
}

/** What a boundary takes away is not what is tried here. */
const everything = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }],
});

/** The environment's own, as its template makes it. */
const monitoringGroup = "Monitoring";

function deploy(ec2: Ec2Service, ssm: SsmService, scheduler: SchedulerService): EnvironmentSettings {
  const { vpcId } = ec2.ensureVpc("Vpc", { CidrBlock: "198.18.0.0/22" });
  const subnets = zones.map((zone, index): [string, string] => {
    const properties = { VpcId: vpcId, CidrBlock: `198.18.${index}.0/24`, AvailabilityZone: zone };
    return [zone, ec2.ensureSubnet(`Subnet${index}`, properties).subnetId];
  });
  const { groupId } = ec2.ensureSecurityGroup(monitoringGroup, {
    VpcId: vpcId,
    GroupDescription: "who watches",
  });
  const { launchTemplateId } = ec2.ensureLaunchTemplate("Nodes", {
    LaunchTemplateData: { ImageId: "ami-00000000000000000", InstanceType: "t4g.medium" },
  });
  ssm.putDocument(paperSettings.nodeDocument, nodeDocumentContent());
  const { group } = paperSettings.schedules;
  scheduler.ensureGroup(group);
  const roleArn = `arn:aws:iam::${account}:role/schedules`;
  scheduler.letAssume(roleArn);
  const targetArn = `arn:aws:lambda:${region}:${account}:function:start-backup`;
  return {
    ...paperSettings,
    vpcId,
    subnets: Object.fromEntries(subnets),
    launchTemplateId,
    monitoring: { securityGroupId: groupId, cidrs: ["198.18.0.0/22"] },
    nodeRoles: {
      partition: "aws",
      account,
      boundaryArn: `arn:aws:iam::${account}:policy/pgherd/${environment}/nodes/pgherd-${environment}-nodes`,
    },
    schedules: { group, roleArn, targetArn },
    keyId: `arn:aws:kms:${region}:${account}:key/00000000-0000-0000-0000-000000000000`,
  };
}

async function listed(clients: {
  readonly ec2: EC2Client;
  readonly ssm: SSMClient;
  readonly scheduler: SchedulerClient;
}): Promise<string[]> {
  const [instances, interfaces, volumes, groups, parameters, schedules] = await Promise.all([
    clients.ec2.send(new DescribeInstancesCommand({})),
    clients.ec2.send(new DescribeNetworkInterfacesCommand({})),
    clients.ec2.send(new DescribeVolumesCommand({})),
    clients.ec2.send(new DescribeSecurityGroupsCommand({})),
    clients.ssm.send(new DescribeParametersCommand({})),
    clients.scheduler.send(new ListSchedulesCommand({})),
  ]);
  return [
    ...(instances.Reservations ?? [])
      .flatMap((one) => one.Instances ?? [])
      .filter((one) => one.State?.Name !== "terminated")
      .map((one) => `instance ${one.InstanceId}`),
    ...(interfaces.NetworkInterfaces ?? []).map((one) => `interface ${one.NetworkInterfaceId}`),
    ...(volumes.Volumes ?? []).map((one) => `volume ${one.VolumeId}`),
    ...(groups.SecurityGroups ?? [])
      .filter((one) => one.GroupName !== "default" && one.GroupName !== monitoringGroup)
      .map((one) => `group ${one.GroupName}`),
    ...(parameters.Parameters ?? []).map((one) => `parameter ${one.Name}`),
    ...(schedules.Schedules ?? []).map((one) => `schedule ${one.Name}`),
  ];
}

function mayRead(documents: Documents, clusterId: string, owner: string): boolean {
  const policies = new RoleFacts(documents).rightsOf(nodeRoleName(environment, clusterId))?.own ?? [];
  const parameter = `arn:aws:ssm:${region}:${account}:parameter${cipherPassParameter(environment, owner)}`;
  return policies.some((policy) => allows(policy, plain("ssm:GetParameters", parameter)));
}

function rolesIn(documents: Documents): string[] {
  return ["role", "instance-profile"].flatMap((kind) =>
    documents
      .collection<{ readonly name: string }>(`iam-${kind}s`)
      .list()
      .map(({ name }) => `${kind} ${name}`),
  );
}

/** Name claims, nodes and certificates; a failed cluster's own item and its history may stay. */
function claimOf(item: unknown): string[] {
  const { pk, sk } = item as { pk: { S: string }; sk: { S: string } };
  const isClaim = pk.S.startsWith("NAME#") || sk.S.startsWith("NODE#") || sk.S === "AUTHORITY";
  return isClaim ? [`item ${pk.S} ${sk.S}`] : [];
}
