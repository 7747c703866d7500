import { DefaultStackSynthesizer, type IStackSynthesizer, Stack, type StackProps, Tags } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { tagNames } from "../../layers/domain/cluster/names.ts";
import type { EnvironmentConfig } from "../config/schema.ts";
import type { ProgramStore } from "../constructs/node-identity.ts";

/** A stack of one environment: named after it, tagged with it, its assets below a prefix of their own. */
export abstract class EnvironmentStack extends Stack {
  constructor(scope: Construct, id: string, config: EnvironmentConfig, props: StackProps) {
    super(scope, id, {
      ...props,
      stackName: `pgherd-${config.name}-${id.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase()}`,
      // CDK's classes and interfaces disagree under exactOptionalPropertyTypes.
      synthesizer: new DefaultStackSynthesizer({
        bucketPrefix: assetPrefix(config),
        generateBootstrapVersionRule: config.deployer === "cloudformation",
      }) as IStackSynthesizer,
    });
    Tags.of(this).add(tagNames.environment, config.name);
  }

  /** CDK's own bucket for assets, with what the bootstrap stack calls it. */
  programStore(config: EnvironmentConfig): ProgramStore {
    const qualifier = DefaultStackSynthesizer.DEFAULT_QUALIFIER;
    const bucketName = `cdk-${qualifier}-assets-${this.account}-${this.region}`;
    return {
      bucketArn: this.formatArn({ service: "s3", region: "", account: "", resource: bucketName }),
      prefix: assetPrefix(config),
    };
  }
}

function assetPrefix(config: EnvironmentConfig): string {
  return `pgherd/${config.name}/`;
}
