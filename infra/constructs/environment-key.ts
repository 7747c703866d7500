import { RemovalPolicy, Stack } from "aws-cdk-lib";
import { type IGrantable, PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { allow } from "./allow.ts";
import { alarmsOfEnvironment, clusterParametersArn, storeParametersArn } from "./names.ts";

/**
 * The environment's own key for secrets, volumes and backups. AWS's own key for parameters would let every principal of the
 * account decrypt.
 */
export class EnvironmentKey extends Construct {
  readonly keyArn: string;
  readonly #environment: string;
  readonly #key: Key;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly environment: string; readonly keepData: boolean },
  ) {
    super(scope, id);
    this.#environment = props.environment;
    const key = new Key(this, "Key", {
      alias: `alias/pgherd-${props.environment}`,
      description: `Secrets, volumes and backups of the clusters in pgherd's environment ${props.environment}`,
      enableKeyRotation: true,
      removalPolicy: props.keepData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    this.#key = key;
    this.keyArn = key.keyArn;
  }

  /** CloudWatch is not a principal of the account: without this its alarms reach no topic that the key encrypts. */
  allowAlarms(): void {
    this.#key.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
        resources: ["*"],
        conditions: alarmsOfEnvironment(this, this.#environment),
      }),
    );
  }

  /** Through Parameter Store alone, and only what lies below `/pgherd/<environment>/<clusterId>/<below>`. */
  grantDecryptParameters(grantee: IGrantable, below: string): void {
    this.#grantForParameters(grantee, ["kms:Decrypt"], clusterParametersArn(this, this.#environment, below));
  }

  grantEncryptParameters(grantee: IGrantable): void {
    this.#grantForParameters(grantee, ["kms:Encrypt"], clusterParametersArn(this, this.#environment));
  }

  /** Keys of stores of others. */
  grantDecryptStoreKeys(grantee: IGrantable): void {
    this.#grantForParameters(grantee, ["kms:Decrypt"], storeParametersArn(this, this.#environment));
  }

  #grantForParameters(grantee: IGrantable, actions: string[], parameters: string): void {
    allow(grantee, {
      actions,
      resources: [this.keyArn],
      conditions: {
        StringEquals: { "kms:ViaService": `ssm.${Stack.of(this).region}.amazonaws.com` },
        StringLike: { "kms:EncryptionContext:PARAMETER_ARN": parameters },
      },
    });
  }

  /** Through S3 alone, and for one bucket's objects, which share data keys of their bucket. */
  grantEncryptObjects(grantee: IGrantable, bucketArn: string): void {
    allow(grantee, {
      actions: ["kms:GenerateDataKey", "kms:Decrypt"],
      resources: [this.keyArn],
      conditions: {
        StringEquals: {
          "kms:ViaService": `s3.${Stack.of(this).region}.amazonaws.com`,
          "kms:EncryptionContext:aws:s3:arn": bucketArn,
        },
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
