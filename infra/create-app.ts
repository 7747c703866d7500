import { App } from "aws-cdk-lib";
import type { BuildOutput } from "./build/build.ts";
import { loadConfig, type StageName } from "./config/index.ts";
import type { EnvironmentConfig } from "./config/schema.ts";
import { EnvironmentStage } from "./stage.ts";

/**
 * CDK's switches that change what we synthesize. They are here and not in cdk.json, so that `npx cdk` and a
 * programmatic synthesis give the same templates.
 */
const featureFlags = {
  "@aws-cdk/core:target-partitions": ["aws"],
  "@aws-cdk/core:enablePartitionLiterals": true,
  "@aws-cdk/core:explicitStackTags": true,
  "@aws-cdk/core:checkSecretUsage": true,
  "@aws-cdk/core:includePrefixInUniqueNameGeneration": true,
  "@aws-cdk/core:validateAgainstDefaultRules": true,
  "@aws-cdk/aws-iam:minimizePolicies": true,
  "@aws-cdk/aws-iam:importedRoleStackSafeDefaultPolicyName": true,
  "@aws-cdk/aws-kms:aliasNameRef": true,
  "@aws-cdk/aws-lambda:recognizeLayerVersion": true,
  "@aws-cdk/aws-lambda:createNewPoliciesWithAddToRolePolicy": false,
  "@aws-cdk/aws-apigateway:logGroupDestinationArnWithoutWildcard": true,
  "@aws-cdk/aws-ec2:requirePrivateSubnetsForEgressOnlyInternetGateway": true,
} as const;

export interface AppOptions {
  /** By the names of their files, or as configs that were checked. */
  readonly stages: readonly (StageName | EnvironmentConfig)[];
  readonly build: BuildOutput;
  /** Where the cloud assembly goes; CDK's own choice (cdk.out) where it is not given. */
  readonly outDirectory?: string;
  /** Variables that a config may read; those of the process where they are not given. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
}

export function createApp(options: AppOptions): App {
  const app = new App({
    context: featureFlags,
    analyticsReporting: false,
    ...(options.outDirectory === undefined ? {} : { outdir: options.outDirectory }),
  });
  for (const stage of options.stages) {
    const config = typeof stage === "string" ? loadConfig(stage, options.variables) : stage;
    new EnvironmentStage(app, config, options.build);
  }
  return app;
}
