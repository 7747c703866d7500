import { Stage } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { BuildOutput } from "./build/build.ts";
import type { EnvironmentConfig } from "./config/schema.ts";
import { ControlPlaneStack } from "./stacks/control-plane.ts";
import { DataStack } from "./stacks/data.ts";
import { NodesStack } from "./stacks/nodes.ts";

/** One environment: stacks by lifetime, each reaching only for what outlives it. */
export class EnvironmentStage extends Stage {
  constructor(scope: Construct, config: EnvironmentConfig, build: BuildOutput) {
    const account = config.account ?? process.env["CDK_DEFAULT_ACCOUNT"];
    const env = { region: config.region, ...(account === undefined ? {} : { account }) };
    super(scope, config.name, { env });
    const data = new DataStack(this, config, build.functions, { env });
    const nodes = new NodesStack(this, config, data, { env });
    new ControlPlaneStack(this, { config, build, data, nodes }, { env });
  }
}
