import { Stack } from "aws-cdk-lib";
import type { IGrantable } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { tagNames } from "../../layers/domain/cluster/names.ts";
import { allow } from "./allow.ts";
import type { EnvironmentKey } from "./environment-key.ts";
import type { EnvironmentNetwork } from "./environment-network.ts";
import { clusterRequest, clusterResource, ec2Arn } from "./names.ts";
import type { NodeIdentity } from "./node-identity.ts";
import type { NodeLaunchTemplate } from "./node-launch-template.ts";

type Conditions = Record<string, Record<string, string | string[]>>;

const imageParameterPrefix = "resolve:ssm:";

interface NodeFleetProps {
  readonly environment: string;
  readonly network: EnvironmentNetwork;
  readonly identity: NodeIdentity;
  readonly key: EnvironmentKey;
  readonly launchTemplate: NodeLaunchTemplate;
  readonly nodeImage: string;
}

/**
 * The machines of the environment's clusters: instances, interfaces, volumes, security groups. They are made at run
 * time; here is who may make and remove them. What is made carries the tags of environment and cluster from its first
 * moment, and only what carries them can be touched.
 */
export class NodeFleet extends Construct {
  readonly #props: NodeFleetProps;

  constructor(scope: Construct, id: string, props: NodeFleetProps) {
    super(scope, id);
    this.#props = props;
  }

  /** Makes nodes, and takes away again what it made. */
  grantMakeNodes(grantee: IGrantable): void {
    this.#grantTagging(grantee);
    this.#grantSecurityGroups(grantee);
    this.#grantInterfaces(grantee);
    this.#grantVolumes(grantee);
    this.#grantInstances(grantee);
    this.#props.identity.grantMake(grantee);
    this.#props.key.grantEncryptVolumes(grantee);
    this.grantRemoveNodes(grantee);
  }

  /** Changes what a running cluster is made of. */
  grantChangeNodes(grantee: IGrantable): void {
    this.#grant(grantee, ["ec2:ModifyVolume"], ["volume"], this.#ours());
    this.#grant(grantee, ["ec2:RevokeSecurityGroupIngress"], ["security-group"], this.#ours());
    this.grantMakeNodes(grantee);
    this.grantStopAndStartNodes(grantee);
  }

  /** Stops and starts instances; what they are made of stays. */
  grantStopAndStartNodes(grantee: IGrantable): void {
    this.#grant(grantee, ["ec2:StartInstances", "ec2:StopInstances"], ["instance"], this.#ours());
    this.#props.key.grantEncryptVolumes(grantee);
  }

  grantRemoveNodes(grantee: IGrantable): void {
    this.#grant(grantee, ["ec2:TerminateInstances"], ["instance"], this.#ours());
    this.#grant(grantee, ["ec2:DeleteNetworkInterface"], ["network-interface"], this.#ours());
    this.#grant(grantee, ["ec2:DeleteVolume"], ["volume"], this.#ours());
    this.#grant(grantee, ["ec2:DeleteSecurityGroup"], ["security-group"], this.#ours());
    this.grantSeeNodes(grantee);
  }

  grantSeeNodes(grantee: IGrantable): void {
    allow(grantee, {
      actions: [
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeVolumes",
        "ec2:DescribeVolumesModifications",
      ],
      resources: ["*"],
      wildcard: "Describe calls know no resources.",
    });
  }

  /** Which groups there are, and which rules name them. */
  grantSeeSecurityGroups(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["ec2:DescribeSecurityGroups"],
      resources: ["*"],
      wildcard: "Describe calls know no resources.",
    });
  }

  #grantTagging(grantee: IGrantable): void {
    const made = ["CreateNetworkInterface", "CreateSecurityGroup", "CreateVolume", "RunInstances"];
    this.#grant(grantee, ["ec2:CreateTags"], ["instance", "network-interface", "security-group", "volume"], {
      StringEquals: {
        [`aws:RequestTag/${tagNames.environment}`]: this.#props.environment,
        "ec2:CreateAction": made,
      },
    });
  }

  #grantSecurityGroups(grantee: IGrantable): void {
    this.#grant(grantee, ["ec2:CreateSecurityGroup"], ["security-group"], this.#tagged());
    allow(grantee, {
      actions: ["ec2:CreateSecurityGroup"],
      resources: [ec2Arn(this, "vpc", this.#props.network.vpcId)],
    });
    this.#grant(grantee, ["ec2:AuthorizeSecurityGroupIngress"], ["security-group"], this.#ours());
  }

  #grantInterfaces(grantee: IGrantable): void {
    this.#grant(grantee, ["ec2:CreateNetworkInterface"], ["network-interface"], this.#tagged());
    this.#grant(grantee, ["ec2:CreateNetworkInterface"], ["security-group"], this.#ours());
    allow(grantee, {
      actions: ["ec2:CreateNetworkInterface", "ec2:RunInstances"],
      resources: this.#props.network.subnetArns(),
    });
  }

  #grantVolumes(grantee: IGrantable): void {
    const tagged = this.#tagged();
    this.#grant(grantee, ["ec2:CreateVolume"], ["volume"], { ...tagged, Bool: { "ec2:Encrypted": "true" } });
    this.#grant(grantee, ["ec2:AttachVolume"], ["instance", "volume"], this.#ours());
  }

  /** Through our launch template alone, so that its image, metadata options and encryption hold. */
  #grantInstances(grantee: IGrantable): void {
    const { environment, launchTemplate } = this.#props;
    const templateArn = launchTemplate.launchTemplateArn;
    const throughTemplate = { ArnEquals: { "ec2:LaunchTemplate": templateArn } };
    const tagged = this.#tagged();
    this.#grant(grantee, ["ec2:RunInstances"], ["instance"], { ...tagged, ...throughTemplate });
    this.#grant(grantee, ["ec2:RunInstances"], ["volume"], {
      StringEquals: { [`aws:RequestTag/${tagNames.environment}`]: environment },
      Bool: { "ec2:Encrypted": "true" },
      ...throughTemplate,
    });
    this.#grant(grantee, ["ec2:RunInstances"], ["network-interface", "security-group"], this.#ours());
    allow(grantee, {
      actions: ["ec2:RunInstances"],
      resources: [
        Stack.of(this).formatArn({ service: "ec2", account: "", resource: "image", resourceName: "*" }),
      ],
      conditions: { ...throughTemplate, Bool: { "ec2:IsLaunchTemplateResource": "true" } },
      wildcard: "The launch template names the image, and the condition takes no other one.",
    });
    allow(grantee, { actions: ["ec2:RunInstances"], resources: [templateArn] });
    this.#grantImage(grantee);
  }

  /** EC2 reads the parameter that names the image with the rights of the caller. */
  #grantImage(grantee: IGrantable): void {
    const { nodeImage } = this.#props;
    if (nodeImage.startsWith(imageParameterPrefix)) {
      const name = nodeImage.slice(imageParameterPrefix.length).replace(/^\//, "");
      allow(grantee, {
        actions: ["ssm:GetParameters"],
        resources: [Stack.of(this).formatArn({ service: "ssm", resource: "parameter", resourceName: name })],
      });
    }
  }

  #ours(): Conditions {
    return clusterResource(this.#props.environment);
  }

  #tagged(): Conditions {
    return clusterRequest(this.#props.environment);
  }

  #grant(grantee: IGrantable, actions: string[], resources: string[], conditions: Conditions): void {
    allow(grantee, {
      actions,
      resources: resources.map((resource) => ec2Arn(this, resource)),
      conditions,
      wildcard: "Made at run time; the tags narrow it to this environment's clusters.",
    });
  }
}
