import { Stack } from "aws-cdk-lib";
import { PolicyStatement, StarPrincipal } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { storeKeyPrefix } from "../../layers/domain/cluster/names.ts";
import type { BackupStore } from "./backup-store.ts";
import type { EnvironmentKey } from "./environment-key.ts";
import { clusterParametersArn, ec2Arn, storeParametersArn } from "./names.ts";
import type { ProgramStore } from "./node-identity.ts";

/** What nodes reach through the endpoints of their network. */
export interface Reached {
  readonly environment: string;
  readonly key: EnvironmentKey;
  readonly programs: ProgramStore;
  readonly backups: BackupStore;
  /** Buckets of other accounts that clusters keep their backups in. */
  readonly backupBuckets: readonly string[];
}

export type EndpointPolicies = Readonly<
  Record<"S3" | "Ssm" | "SsmMessages" | "Kms", readonly PolicyStatement[]>
>;

const objectActions = [
  "s3:GetObject",
  "s3:PutObject",
  "s3:DeleteObject",
  "s3:AbortMultipartUpload",
  "s3:ListMultipartUploadParts",
];
const bucketActions = ["s3:ListBucket", "s3:ListBucketMultipartUploads"];

/**
 * What an endpoint lets through: who calls, what for and what about. It gives no right to anybody. It keeps whoever
 * sits on a node from carrying data into a bucket of his own with keys of his own, which no policy of a role forbids.
 * The SSM agent's own buckets are not among what is let through: it needs them for AWS's documents, patches and its
 * own updates, and a node gets none of these.
 */
export function endpointPolicies(scope: Construct, reached: Reached): EndpointPolicies {
  const { environment, key } = reached;
  const own = (actions: string[], resources: string[]) =>
    new PolicyStatement({
      principals: [new StarPrincipal()],
      actions,
      resources,
      // A gateway endpoint takes an account that is named as the principal for its root user.
      conditions: { StringEquals: { "aws:PrincipalAccount": Stack.of(scope).account } },
    });
  return {
    S3: [...ownBuckets(reached, own), ...foreignBuckets(reached)],
    Ssm: [
      own(["ssm:UpdateInstanceInformation"], [ec2Arn(scope, "instance")]),
      own(
        ["ssm:GetParameters"],
        [clusterParametersArn(scope, environment), storeParametersArn(scope, environment)],
      ),
    ],
    SsmMessages: [own(["ssmmessages:CreateControlChannel", "ssmmessages:OpenControlChannel"], ["*"])],
    Kms: [own(["kms:Decrypt", "kms:GenerateDataKey"], [key.keyArn])],
  };
}

function ownBuckets(
  { backups, programs }: Reached,
  own: (actions: string[], resources: string[]) => PolicyStatement,
): PolicyStatement[] {
  return [
    own(["s3:GetObject"], [`${programs.bucketArn}/${programs.prefix}*.cjs`]),
    own(objectActions, [`${backups.bucketArn}/*`]),
    own(bucketActions, [backups.bucketArn]),
  ];
}

/** The keys of such a bucket are its account's. */
function foreignBuckets({ backupBuckets, environment }: Reached): PolicyStatement[] {
  if (backupBuckets.length === 0) return [];
  const arns = backupBuckets.map((bucket) => `arn:aws:s3:::${bucket}`);
  const principals = [new StarPrincipal()];
  const objects = arns.map((arn) => `${arn}/${storeKeyPrefix(environment)}*`);
  return [
    new PolicyStatement({ principals, actions: objectActions, resources: objects }),
    new PolicyStatement({ principals, actions: bucketActions, resources: arns }),
  ];
}
