import { CfnOutput, Stack } from "aws-cdk-lib";
import {
  CfnSecurityGroup,
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  type SubnetConfiguration,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { NetworkConfig } from "../config/schema.ts";
import { acknowledge, acknowledgeWildcard } from "./allow.ts";
import { type EndpointPolicies, endpointPolicies, type Reached } from "./endpoint-policies.ts";
import { logGroupName } from "./names.ts";

const httpsPort = 443;
/** The smallest that there is: a NAT gateway takes one address. */
const gatewayCidrMask = 28;

type NewNetworkConfig = Extract<NetworkConfig, { kind: "new" }>;

/** Where nodes live: one private subnet in each zone, in a VPC of our own or in one that was there before. */
export class EnvironmentNetwork extends Construct {
  readonly vpcId: string;
  /** Zone → subnet. */
  readonly subnets: Readonly<Record<string, string>>;
  /** Whoever is in this group may read nodes' metrics. Rules of clusters name it, so it stays as long as the network. */
  readonly monitoringGroupId: string;

  constructor(
    scope: Construct,
    id: string,
    props: Omit<Reached, "backupBuckets"> & { readonly network: NetworkConfig },
  ) {
    super(scope, id);
    const { environment, network } = props;
    if (network.kind === "existing") {
      this.vpcId = network.vpcId;
      this.subnets = network.subnets;
      this.monitoringGroupId = this.#addMonitoringGroup(environment);
      return;
    }
    const vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(network.cidr),
      availabilityZones: [...network.zones],
      subnetConfiguration: subnetsFor(network),
      natGateways: network.egress === "nat" ? (network.natGateways ?? network.zones.length) : 0,
      // Its rules can only be taken away by a function of CDK's own, and nothing here uses the default group.
      restrictDefaultSecurityGroup: false,
    });
    this.vpcId = vpc.vpcId;
    this.monitoringGroupId = this.#addMonitoringGroup(environment);
    this.subnets = Object.fromEntries(
      [...vpc.isolatedSubnets, ...vpc.privateSubnets].map((subnet) => [
        subnet.availabilityZone,
        subnet.subnetId,
      ]),
    );
    if (network.egress === "none") {
      acknowledge(vpc, "AwsSolutions-VPC7", "Nothing leads out of this network or into it.");
      return;
    }
    const policies = endpointPolicies(this, { ...props, backupBuckets: network.backupBuckets });
    if (network.egress === "endpoints") this.#addEndpoints(vpc, network.cidr, policies);
    // What nodes keep in S3 costs nothing on this way, and by the gigabyte through a NAT gateway.
    const toS3 = vpc.addGatewayEndpoint("S3", { service: GatewayVpcEndpointAwsService.S3 });
    for (const statement of policies.S3) toS3.addToPolicy(statement);
    const logGroup = LogGroup.fromLogGroupName(this, "Log", logGroupName(environment, "network"));
    const flowLog = vpc.addFlowLog("Rejected", {
      trafficType: FlowLogTrafficType.REJECT,
      destination: FlowLogDestination.toCloudWatchLogs(logGroup),
    });
    acknowledgeWildcard(flowLog, logGroup.logGroupArn, "EC2 names the streams of this one log group.");
  }

  /** Empty, and nothing comes in by it: who is put into it comes in elsewhere. */
  #addMonitoringGroup(environment: string): string {
    const { attrGroupId } = new CfnSecurityGroup(this, "MonitoringGroup", {
      vpcId: this.vpcId,
      groupDescription: `Who may read metrics of the nodes of pgherd ${environment}`,
    });
    const description = "Security group of whatever scrapes nodes' metrics";
    new CfnOutput(this, "MonitoringGroupId", { value: attrGroupId, description });
    return attrGroupId;
  }

  /**
   * What a node calls beside S3: its agent's commands, its secrets and their key. No way to anywhere else. Agents from
   * 3.3.40.0 on get their commands through `ssmmessages` alone; AWS gives up `ec2messages` in September 2026.
   */
  #addEndpoints(vpc: Vpc, cidr: string, policies: EndpointPolicies): void {
    const securityGroup = new SecurityGroup(this, "EndpointSecurityGroup", {
      // CDK's classes and interfaces disagree under exactOptionalPropertyTypes.
      vpc: vpc as IVpc,
      description: "AWS endpoints for the nodes of pgherd",
      allowAllOutbound: false,
    });
    securityGroup.addIngressRule(Peer.ipv4(cidr), Port.tcp(httpsPort), "HTTPS from nodes");
    const endpoints = [
      { name: "Ssm", service: InterfaceVpcEndpointAwsService.SSM, policy: policies.Ssm },
      {
        name: "SsmMessages",
        service: InterfaceVpcEndpointAwsService.SSM_MESSAGES,
        policy: policies.SsmMessages,
      },
      { name: "Kms", service: InterfaceVpcEndpointAwsService.KMS, policy: policies.Kms },
    ];
    for (const { name, service, policy } of endpoints) {
      const endpoint = vpc.addInterfaceEndpoint(name, {
        service,
        securityGroups: [securityGroup],
        open: false,
      });
      for (const statement of policy) endpoint.addToPolicy(statement);
    }
  }

  subnetArns(): string[] {
    return Object.values(this.subnets).map((subnetId) =>
      Stack.of(this).formatArn({ service: "ec2", resource: "subnet", resourceName: subnetId }),
    );
  }
}

/**
 * Nodes' subnets are the same whether they have NAT gateways or not, so that one way out can be changed for the other
 * while nodes run: as large as leaves a block of that size for the gateways' own.
 */
function subnetsFor({ cidr, egress, zones }: NewNetworkConfig): SubnetConfiguration[] {
  const cidrMask = Number(cidr.split("/")[1]) + Math.ceil(Math.log2(zones.length + 1));
  if (egress !== "nat") return [{ name: "nodes", subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask }];
  return [
    { name: "nodes", subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask },
    {
      name: "gateways",
      subnetType: SubnetType.PUBLIC,
      cidrMask: gatewayCidrMask,
      mapPublicIpOnLaunch: false,
    },
  ];
}
