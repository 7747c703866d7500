import type { StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { BuildOutput } from "../build/build.ts";
import type { EnvironmentConfig } from "../config/schema.ts";
import { NodeImagePipeline } from "../constructs/node-image-pipeline.ts";
import { EnvironmentStack } from "./environment-stack.ts";

/** What makes the image of nodes. Images that it has made stay when it goes. */
export class NodeImageStack extends EnvironmentStack {
  constructor(scope: Construct, config: EnvironmentConfig, build: BuildOutput, props: StackProps) {
    super(scope, "NodeImage", config, { ...props, description: "pgherd: the pipeline of the node image" });
    new NodeImagePipeline(this, "Pipeline", { config, build });
  }
}
