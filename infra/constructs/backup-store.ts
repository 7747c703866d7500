import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import type { IGrantable } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge, allow } from "./allow.ts";
import type { EnvironmentKey } from "./environment-key.ts";

/** Everything in the bucket lies below `clusters/<clusterId>/<shard>/`. */
const prefix = "clusters/*";
/** Time to notice that somebody removed or overwrote what a restore needs, and to bring it back. */
const replacedVersionsKept = Duration.days(30);
/** An upload that a dead node began and nobody will complete. The longest part of a backup takes hours. */
const abandonedUploadsKept = Duration.days(2);

/**
 * The bucket of the clusters' backups and WAL archives. Nodes write it, and what is in it only they can read; nothing
 * here or at run time changes the bucket.
 */
export class BackupStore extends Construct {
  readonly bucketName: string;
  readonly #bucketArn: string;
  readonly #key: EnvironmentKey;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly key: EnvironmentKey; readonly keepData: boolean },
  ) {
    super(scope, id);
    this.#key = props.key;
    const removalPolicy = props.keepData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    const bucket = new Bucket(this, "Bucket", {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      encryption: BucketEncryption.KMS,
      encryptionKey: Key.fromKeyArn(this, "Key", props.key.keyArn),
      // One data key for many objects: a WAL archive asks KMS thousands of times an hour otherwise.
      bucketKeyEnabled: true,
      versioned: true,
      lifecycleRules: [
        {
          noncurrentVersionExpiration: replacedVersionsKept,
          expiredObjectDeleteMarker: true,
          abortIncompleteMultipartUploadAfter: abandonedUploadsKept,
        },
      ],
      removalPolicy,
    });
    bucket.policy?.applyRemovalPolicy(removalPolicy);
    acknowledge(
      bucket,
      "AwsSolutions-S1",
      "What nodes write and read here is in pgBackRest's own log and manifest; CloudTrail's data events name callers.",
    );
    this.bucketName = bucket.bucketName;
    const stack = Stack.of(this);
    // By a name of ours, which acknowledgements of wildcards below the ARN can say.
    this.#bucketArn = stack.exportValue(bucket.bucketArn, { name: `${stack.stackName}:BackupBucketArn` });
  }

  /** For what is in other stacks. */
  get bucketArn(): string {
    return this.#bucketArn;
  }

  /** What pgBackRest does with the objects of clusters. For grantees of other stacks. */
  grantKeepBackups(grantee: IGrantable): void {
    allow(grantee, {
      actions: [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
      ],
      resources: [`${this.#bucketArn}/${prefix}`],
      wildcard: "Clusters are made at run time; the bucket holds this environment's backups alone.",
    });
    allow(grantee, {
      actions: ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
      resources: [this.#bucketArn],
      // S3 also asks for this right, then without a prefix, before it says that an object is not there.
      conditions: { StringLikeIfExists: { "s3:prefix": prefix } },
    });
    this.#key.grantEncryptObjects(grantee, this.#bucketArn);
  }
  /** Names and times of the objects of clusters, and nothing of what is in them. For grantees of other stacks. */
  grantListBackups(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["s3:ListBucket"],
      resources: [this.#bucketArn],
      conditions: { StringLike: { "s3:prefix": prefix } },
    });
  }

  /** Finds and removes the objects of clusters without being able to read one. For grantees of other stacks. */
  grantRemoveBackups(grantee: IGrantable): void {
    this.grantListBackups(grantee);
    allow(grantee, {
      actions: ["s3:DeleteObject"],
      resources: [`${this.#bucketArn}/${prefix}`],
      wildcard:
        "Clusters are made and deleted at run time; the bucket holds this environment's backups alone.",
    });
  }
}
