import { CfnWaitConditionHandle, Duration, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { EnvironmentConfig } from "../config/schema.ts";
import { PostgresCluster } from "../constructs/postgres-cluster.ts";
import type { ControlPlaneStack } from "./control-plane.ts";
import { EnvironmentStack } from "./environment-stack.ts";

/** Long enough for nine nodes that are replaced one after the other with some hundred gigabytes each. */
const patience = Duration.hours(4);

/** The clusters of the environment's config. Clusters hold data: they outlive the control plane that made them. */
export class ClustersStack extends EnvironmentStack {
  constructor(
    scope: Construct,
    config: EnvironmentConfig,
    controlPlane: ControlPlaneStack,
    props: StackProps,
  ) {
    super(scope, "Clusters", config, {
      ...props,
      description: "pgherd: the clusters of the environment's config",
      terminationProtection: config.keepData,
    });
    // Its functions make the clusters, and it knows them by name.
    this.addStackDependency(controlPlane);
    // Makes nothing: without any resource the stack could not be deployed, and the last cluster never be removed.
    new CfnWaitConditionHandle(this, "Empty");
    for (const spec of config.clusters) {
      new PostgresCluster(this, spec.name, { environment: config.name, spec, patience });
    }
  }
}
