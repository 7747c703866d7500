import { createHash } from "node:crypto";
import path from "node:path";
import { CfnOutput, Stack } from "aws-cdk-lib";
import { InstanceProfile, ManagedPolicy, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  CfnComponent,
  CfnDistributionConfiguration,
  CfnImagePipeline,
  CfnImageRecipe,
  CfnInfrastructureConfiguration,
} from "aws-cdk-lib/aws-imagebuilder";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import { Construct } from "constructs";
import { tagNames } from "../../layers/domain/cluster/names.ts";
import { type BuildOutput, repositoryRoot } from "../build/build.ts";
import type { EnvironmentConfig } from "../config/schema.ts";
import { acknowledge, allow } from "./allow.ts";
import { nodeImageManifestParameter, nodeImageParameter, resourceName } from "./names.ts";

/** Debian names its newest AMIs so. */
const parentImage = (architecture: EnvironmentConfig["architecture"]): string =>
  `ssm:/aws/service/debian/release/13/latest/${architecture === "arm64" ? "arm64" : "amd64"}`;
/** Installing takes minutes and no more memory than a small machine has; in this order where a zone has none of them. */
const instanceTypes = {
  arm64: ["t4g.medium", "m7g.medium", "m6g.medium"],
  x86_64: ["t3.medium", "m7i.large", "m6i.large"],
} as const;
/** As in the launch template: Debian's images name their root volume so. */
const rootDeviceName = "/dev/xvda";
const rootVolumeGiB = 8;
/** Security updates of Debian's come in here; an image that is as it was is not made again. */
const schedule = "cron(0 3 ? * sun *)";
const testTimeoutMinutes = 60;
/** Where the parts of the recipe are on the machine that is built. */
const workDirectory = "/var/tmp/pgherd";

type Parts = Readonly<Record<"aws" | "loader" | "publisher" | "recipe", Asset>>;

/**
 * What makes the image that nodes start from: Debian, the recipe of all nodes, and a boot of everything in it before it
 * is given out. Launches find it by a parameter, so a new image is what the next instance starts from.
 */
export class NodeImagePipeline extends Construct {
  readonly #environment: string;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly config: EnvironmentConfig; readonly build: BuildOutput },
  ) {
    super(scope, id);
    const { build, config } = props;
    this.#environment = config.name;
    const parts = {
      recipe: new Asset(this, "Recipe", { path: path.join(repositoryRoot, "infra/node-image") }),
      aws: new Asset(this, "AwsParts", { path: path.join(repositoryRoot, "infra/node-image-aws") }),
      loader: new Asset(this, "Loader", { path: path.join(build.directory, "node/run") }),
      publisher: new Asset(this, "Publisher", {
        path: path.join(build.directory, "node/publish-manifest.cjs"),
      }),
    };
    const component = this.#addComponent(parts);
    const recipe = this.#addRecipe(config, component);
    const pipeline = new CfnImagePipeline(this, "Pipeline", {
      name: resourceName(config.name, "node-image"),
      description: `Image of the nodes in pgherd's environment ${config.name}`,
      imageRecipeArn: recipe.attrArn,
      infrastructureConfigurationArn: this.#addInfrastructure(config, Object.values(parts)).attrArn,
      distributionConfigurationArn: this.#addDistribution(config).attrArn,
      executionRole: this.#addExecutionRole().roleArn,
      imageTestsConfiguration: { imageTestsEnabled: true, timeoutMinutes: testTimeoutMinutes },
      schedule: {
        scheduleExpression: schedule,
        pipelineExecutionStartCondition: "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
      },
    });
    new CfnOutput(this, "Arn", {
      value: pipeline.attrArn,
      description: "Start it once before the first cluster",
    });
  }

  #addComponent({ aws, loader, publisher, recipe }: Parts): CfnComponent {
    const fetched = [
      { asset: recipe, file: "recipe.zip" },
      { asset: aws, file: "aws.zip" },
      { asset: loader, file: "run" },
      { asset: publisher, file: "publish-manifest.cjs" },
    ];
    const fetch = {
      name: "Fetch",
      action: "S3Download",
      inputs: fetched.map(({ asset, file }) => ({
        source: asset.s3ObjectUrl,
        destination: `${workDirectory}/${file}`,
        expectedBucketOwner: Stack.of(this).account,
      })),
    };
    const unpack = run("Unpack", [
      `python3 -m zipfile -e ${workDirectory}/recipe.zip ${workDirectory}/recipe`,
      `python3 -m zipfile -e ${workDirectory}/aws.zip ${workDirectory}/aws`,
    ]);
    const document = {
      name: "pgherd-node",
      schemaVersion: "1.0",
      phases: [
        {
          name: "build",
          steps: [
            fetch,
            unpack,
            run("Install", [`sh ${workDirectory}/aws/build.sh ${workDirectory}/recipe ${workDirectory}/run`]),
          ],
        },
        {
          name: "validate",
          steps: [run("Check", [`sh ${workDirectory}/aws/check.sh`, `rm -rf ${workDirectory}`])],
        },
        {
          name: "test",
          steps: [
            fetch,
            unpack,
            run("Check", [`sh ${workDirectory}/aws/check.sh`]),
            run("Boot", [`sh ${workDirectory}/aws/smoke-test.sh`]),
            run("Publish", [this.#publication()]),
          ],
        },
      ],
    };
    return new CfnComponent(this, "Component", {
      name: resourceName(this.#environment, "node"),
      platform: "Linux",
      version: versionOf(Stack.of(this).resolve(document)),
      data: Stack.of(this).toJsonString(document),
    });
  }

  /** Only of an image that was found good. */
  #publication(): string {
    const { region } = Stack.of(this);
    const recipes = ["recipe", "aws"].map((part) => `${workDirectory}/${part}/packages.txt`).join(" ");
    const parameter = nodeImageManifestParameter(this.#environment);
    const program = `${workDirectory}/publish-manifest.cjs`;
    return `AWS_REGION=${region} node ${program} ${parameter} /usr/lib/pgherd/manifest.json ${recipes}`;
  }

  /** The machine that an image is made on: it fetches the recipe and packages, and lives for minutes. */
  #addInfrastructure(config: EnvironmentConfig, parts: readonly Asset[]): CfnInfrastructureConfiguration {
    const role = new Role(this, "BuildRole", {
      path: `/pgherd/${this.#environment}/`,
      assumedBy: new ServicePrincipal("ec2.amazonaws.com"),
      description: `Machines that pgherd's environment ${this.#environment} makes its node image on`,
      managedPolicies: ["EC2InstanceProfileForImageBuilder", "AmazonSSMManagedInstanceCore"].map((name) =>
        ManagedPolicy.fromAwsManagedPolicyName(name),
      ),
    });
    for (const name of ["EC2InstanceProfileForImageBuilder", "AmazonSSMManagedInstanceCore"]) {
      acknowledgeManaged(
        role,
        name,
        "What Image Builder does on its machines is its own, and no node has this role.",
      );
    }
    allow(role, {
      actions: ["s3:GetObject"],
      resources: parts.map((part) => part.bucket.arnForObjects(part.s3ObjectKey)),
    });
    allow(role, {
      actions: ["ssm:PutParameter"],
      resources: [parameterArn(this, nodeImageManifestParameter(this.#environment))],
    });
    const profile = new InstanceProfile(this, "BuildProfile", {
      path: `/pgherd/${this.#environment}/`,
      role,
    });
    const { imageBuild } = config;
    return new CfnInfrastructureConfiguration(this, "Infrastructure", {
      name: resourceName(this.#environment, "node"),
      instanceProfileName: profile.instanceProfileName,
      instanceTypes: [...instanceTypes[config.architecture]],
      instanceMetadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
      terminateInstanceOnFailure: true,
      resourceTags: { [tagNames.environment]: this.#environment },
      ...(imageBuild === undefined
        ? {}
        : { subnetId: imageBuild.subnetId, securityGroupIds: [imageBuild.securityGroupId] }),
    });
  }

  /** Instances start from what the parameter names. */
  #addDistribution(config: EnvironmentConfig): CfnDistributionConfiguration {
    return new CfnDistributionConfiguration(this, "Distribution", {
      name: resourceName(this.#environment, "node"),
      distributions: [
        {
          region: config.region,
          amiDistributionConfiguration: {
            Name: `${resourceName(this.#environment, "node")}-{{ imagebuilder:buildDate }}`,
            AmiTags: { [tagNames.environment]: this.#environment },
          },
          ssmParameterConfigurations: [
            { parameterName: nodeImageParameter(this.#environment), dataType: "aws:ec2:image" },
          ],
        },
      ],
    });
  }

  /** Image Builder's own role may write parameters below `/imagebuilder/` alone. */
  #addExecutionRole(): Role {
    const role = new Role(this, "ExecutionRole", {
      path: `/pgherd/${this.#environment}/`,
      assumedBy: new ServicePrincipal("imagebuilder.amazonaws.com"),
      description: `Makes and names the node image of pgherd's environment ${this.#environment}`,
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName("EC2ImageBuilderExecutionPolicy")],
    });
    const reason =
      "What Image Builder needs to make images follows from how it works, and AWS keeps the list.";
    acknowledgeManaged(role, "EC2ImageBuilderExecutionPolicy", reason);
    allow(role, {
      actions: ["ssm:PutParameter"],
      resources: [parameterArn(this, nodeImageParameter(this.#environment))],
    });
    allow(role, {
      actions: ["ec2:DescribeImages"],
      resources: ["*"],
      wildcard: "Describe calls know no resources.",
    });
    return role;
  }

  #addRecipe(config: EnvironmentConfig, component: CfnComponent): CfnImageRecipe {
    const made = {
      parentImage: parentImage(config.architecture),
      workingDirectory: "/var/tmp",
      additionalInstanceConfiguration: {
        systemsManagerAgent: { uninstallAfterBuild: false },
        userDataOverride: Buffer.from(agentInstallation(config.region)).toString("base64"),
      },
      blockDeviceMappings: [
        {
          deviceName: rootDeviceName,
          ebs: { volumeType: "gp3", volumeSize: rootVolumeGiB, encrypted: true, deleteOnTermination: true },
        },
      ],
    };
    return new CfnImageRecipe(this, "ImageRecipe", {
      name: resourceName(this.#environment, "node"),
      version: versionOf([component.version, made]),
      components: [{ componentArn: component.attrArn }],
      ...made,
    });
  }
}

/** Debian's images have no SSM agent, and without one Image Builder cannot reach the machine. */
function agentInstallation(region: string): string {
  return `#!/bin/sh
set -eu
agent=https://s3.${region}.amazonaws.com/amazon-ssm-${region}/latest/debian_$(dpkg --print-architecture)/amazon-ssm-agent.deb
python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' "$agent" /var/tmp/amazon-ssm-agent.deb
dpkg -i /var/tmp/amazon-ssm-agent.deb
rm -f /var/tmp/amazon-ssm-agent.deb
systemctl enable --now amazon-ssm-agent.service
`;
}

function parameterArn(scope: Construct, name: string): string {
  return Stack.of(scope).formatArn({ service: "ssm", resource: "parameter", resourceName: name.slice(1) });
}

function acknowledgeManaged(role: Role, name: string, reason: string): void {
  acknowledge(role, `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${name}]`, reason);
}

function run(name: string, commands: readonly string[]): object {
  return { name, action: "ExecuteBash", inputs: { commands: ["set -eu", ...commands] } };
}

/** Image Builder keeps a version as it was made: other contents are another version. */
function versionOf(contents: unknown): string {
  const hash = createHash("sha256").update(JSON.stringify(contents)).digest();
  return `1.${hash.readUInt16BE(0)}.${hash.readUInt16BE(2)}`;
}
