import type { StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { EnvironmentConfig } from "../config/schema.ts";
import { EnvironmentNetwork } from "../constructs/environment-network.ts";
import { NodeIdentity } from "../constructs/node-identity.ts";
import type { DataStack } from "./data.ts";
import { EnvironmentStack } from "./environment-stack.ts";

/** What running nodes stand on: network and identity. The control plane can go and come back above it. */
export class NodesStack extends EnvironmentStack {
  readonly network: EnvironmentNetwork;
  readonly identity: NodeIdentity;

  constructor(scope: Construct, config: EnvironmentConfig, data: DataStack, props: StackProps) {
    super(scope, "Nodes", config, {
      ...props,
      description: "pgherd: network and identity of nodes. Clusters serve as long as it stands",
      terminationProtection: config.keepData,
    });
    // Its network logs there, by name.
    this.addStackDependency(data);
    const programs = this.programStore(config);
    this.network = new EnvironmentNetwork(this, "Network", {
      environment: config.name,
      network: config.network,
      key: data.key,
      programs,
      backups: data.backups,
    });
    this.identity = new NodeIdentity(this, "Identity", {
      environment: config.name,
      key: data.key,
      programs,
      backups: data.backups,
    });
  }
}
