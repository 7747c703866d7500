import { Stack } from "aws-cdk-lib";
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { NetworkConfig } from "../config/schema.ts";
import { acknowledge, acknowledgeWildcard } from "./allow.ts";
import { logGroupName } from "./names.ts";

const httpsPort = 443;

/** Where nodes live: one private subnet in each zone, in a VPC of our own or in one that was there before. */
export class EnvironmentNetwork extends Construct {
  readonly vpcId: string;
  /** Zone → subnet. */
  readonly subnets: Readonly<Record<string, string>>;

  constructor(scope: Construct, id: string, environment: string, network: NetworkConfig) {
    super(scope, id);
    if (network.kind === "existing") {
      this.vpcId = network.vpcId;
      this.subnets = network.subnets;
      return;
    }
    const vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(network.cidr),
      availabilityZones: [...network.zones],
      subnetConfiguration: [{ name: "nodes", subnetType: SubnetType.PRIVATE_ISOLATED }],
      // Its rules can only be taken away by a function of CDK's own, and nothing here uses the default group.
      restrictDefaultSecurityGroup: false,
    });
    this.vpcId = vpc.vpcId;
    this.subnets = Object.fromEntries(
      vpc.isolatedSubnets.map((subnet) => [subnet.availabilityZone, subnet.subnetId]),
    );
    if (network.egress === "none") {
      acknowledge(vpc, "AwsSolutions-VPC7", "Nothing leads out of this network or into it.");
      return;
    }
    this.#addEndpoints(vpc, network.cidr);
    const logGroup = LogGroup.fromLogGroupName(this, "Log", logGroupName(environment, "network"));
    const flowLog = vpc.addFlowLog("Rejected", {
      trafficType: FlowLogTrafficType.REJECT,
      destination: FlowLogDestination.toCloudWatchLogs(logGroup),
    });
    acknowledgeWildcard(flowLog, logGroup.logGroupArn, "EC2 names the streams of this one log group.");
  }

  /** What a node calls: its agent's commands, its secrets and their key, its node program and backups. No way to anywhere else. */
  #addEndpoints(vpc: Vpc, cidr: string): void {
    const securityGroup = new SecurityGroup(this, "EndpointSecurityGroup", {
      // CDK's classes and interfaces disagree under exactOptionalPropertyTypes.
      vpc: vpc as IVpc,
      description: "AWS endpoints for the nodes of pgherd",
      allowAllOutbound: false,
    });
    securityGroup.addIngressRule(Peer.ipv4(cidr), Port.tcp(httpsPort), "HTTPS from nodes");
    const services = {
      Ssm: InterfaceVpcEndpointAwsService.SSM,
      SsmMessages: InterfaceVpcEndpointAwsService.SSM_MESSAGES,
      Ec2Messages: InterfaceVpcEndpointAwsService.EC2_MESSAGES,
      Kms: InterfaceVpcEndpointAwsService.KMS,
    };
    for (const [name, service] of Object.entries(services)) {
      vpc.addInterfaceEndpoint(name, { service, securityGroups: [securityGroup], open: false });
    }
    vpc.addGatewayEndpoint("S3", { service: GatewayVpcEndpointAwsService.S3 });
  }

  subnetArns(): string[] {
    return Object.values(this.subnets).map((subnetId) =>
      Stack.of(this).formatArn({ service: "ec2", resource: "subnet", resourceName: subnetId }),
    );
  }
}
