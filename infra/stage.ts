import { Stage } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { BuildOutput } from "./build/build.ts";
import type { EnvironmentConfig } from "./config/schema.ts";
import { nodeImageParameter } from "./constructs/names.ts";
import { ClustersStack } from "./stacks/clusters.ts";
import { ControlPlaneStack } from "./stacks/control-plane.ts";
import { DataStack } from "./stacks/data.ts";
import { NodeImageStack } from "./stacks/node-image.ts";
import { NodesStack } from "./stacks/nodes.ts";

/** One environment: stacks by lifetime, each reaching only for what outlives it. */
export class EnvironmentStage extends Stage {
  constructor(scope: Construct, config: EnvironmentConfig, build: BuildOutput) {
    const account = config.account ?? process.env["CDK_DEFAULT_ACCOUNT"];
    const env = { region: config.region, ...(account === undefined ? {} : { account }) };
    super(scope, config.name, { env });
    // An image that the environment does not make itself comes from somewhere else.
    if (config.nodeImage === `resolve:ssm:${nodeImageParameter(config.name)}`) {
      new NodeImageStack(this, config, build, { env });
    }
    const deployed = { ...build, functions: functionsFor(config, build) };
    const data = new DataStack(this, config, deployed.functions, { env });
    const nodes = new NodesStack(this, config, data, { env });
    const controlPlane = new ControlPlaneStack(this, { config, build: deployed, data, nodes }, { env });
    if (config.deployer === "cloudformation") new ClustersStack(this, config, controlPlane, { env });
  }
}

/** Clusters in templates are CloudFormation's: whoever else deploys has no use for what makes them. */
function functionsFor(config: EnvironmentConfig, build: BuildOutput): BuildOutput["functions"] {
  return build.functions.filter(({ kind }) => kind !== "resource" || config.deployer === "cloudformation");
}
