import { RemovalPolicy, Stack } from "aws-cdk-lib";
import type { IGrantable } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { allow } from "./allow.ts";
import { clusterParametersArn } from "./names.ts";

/**
 * The environment's own key for secrets and volumes. AWS's own key for parameters would let every principal of the
 * account decrypt.
 */
export class EnvironmentKey extends Construct {
  readonly keyArn: string;
  readonly #environment: string;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly environment: string; readonly keepData: boolean },
  ) {
    super(scope, id);
    this.#environment = props.environment;
    const key = new Key(this, "Key", {
      alias: `alias/pgherd-${props.environment}`,
      description: `Secrets and volumes of the clusters in pgherd's environment ${props.environment}`,
      enableKeyRotation: true,
      removalPolicy: props.keepData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    this.keyArn = key.keyArn;
  }

  /** Through Parameter Store alone, and only what lies below `/pgherd/<environment>/<clusterId>/<below>`. */
  grantDecryptParameters(grantee: IGrantable, below: string): void {
    this.#grantForParameters(grantee, ["kms:Decrypt"], below);
  }

  grantEncryptParameters(grantee: IGrantable): void {
    this.#grantForParameters(grantee, ["kms:Encrypt"], "*");
  }

  #grantForParameters(grantee: IGrantable, actions: string[], below: string): void {
    const parameters = clusterParametersArn(this, this.#environment, below);
    allow(grantee, {
      actions,
      resources: [this.keyArn],
      conditions: {
        StringEquals: { "kms:ViaService": `ssm.${Stack.of(this).region}.amazonaws.com` },
        StringLike: { "kms:EncryptionContext:PARAMETER_ARN": parameters },
      },
    });
  }

  /** What EC2 asks of the caller who makes and attaches encrypted volumes. */
  grantEncryptVolumes(grantee: IGrantable): void {
    const viaEc2 = { "kms:ViaService": `ec2.${Stack.of(this).region}.amazonaws.com` };
    allow(grantee, {
      actions: ["kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt"],
      resources: [this.keyArn],
      conditions: { StringEquals: viaEc2 },
    });
    allow(grantee, {
      actions: ["kms:CreateGrant"],
      resources: [this.keyArn],
      conditions: { StringEquals: viaEc2, Bool: { "kms:GrantIsForAWSResource": "true" } },
    });
  }
}
