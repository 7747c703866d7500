import { type BackupStore, storeKeysPath } from "../backup/store.ts";
import type { EnvironmentSettings } from "../environment.ts";
import { backupPath, cipherPassParameter, passwordPath, repositoryKeyPrefix } from "./names.ts";

/**
 * Who the nodes of one cluster are to AWS: a role of their own, so that whoever gets into one node has the secrets and
 * the backups of that cluster and of no other one.
 */

/** Roles and instance profiles of nodes are below it, and nothing else is. */
export const nodeRolePath = (environment: string): string => `/pgherd/${environment}/nodes/`;

/** Of the role and of its instance profile. IAM takes 64 characters, unique in an account whatever the path. */
export function nodeRoleName(environment: string, clusterId: string): string {
  return `pgherd-${environment}-${clusterId}`;
}

/** Whose role it is, by its name; null where it is none of a cluster of the environment. */
export function clusterOfNodeRole(environment: string, name: string): string | null {
  const clusterId = /clu_[0-9A-Z]{26}$/.exec(name)?.[0];
  return clusterId !== undefined && nodeRoleName(environment, clusterId) === name ? clusterId : null;
}

/** The only policy of the role. */
export const nodePolicyName = "own-cluster";

/** What the role of a cluster may reach. */
export interface NodeRights {
  readonly clusterId: string;
  /** Null: the environment's bucket. */
  readonly store: BackupStore | null;
  /** Another cluster whose backups are restored here: they may be read as long as it stands here. */
  readonly source: { readonly clusterId: string; readonly store: BackupStore | null } | null;
}

/** Where the ARNs of an environment are. */
export type PolicyPlace = Pick<
  EnvironmentSettings,
  "backups" | "environment" | "keyId" | "nodeProgram" | "nodeRoles"
> & { readonly region: string };

interface Statement {
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

/** EC2 takes the role on for its instances, and nobody else does. */
export const nodeTrust = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" }],
} as const;

/** Everything that nodes of this cluster may do. The environment's boundary takes away what would go beyond nodes. */
export function nodePolicy(place: PolicyPlace, rights: NodeRights): PolicyDocument {
  return {
    Version: "2012-10-17",
    Statement: [
      ...agentStatements(place),
      ...secretStatements(place, rights),
      programStatement(place),
      ...backupStatements(place, rights),
    ],
  };
}

function arn({ nodeRoles, region }: PolicyPlace, service: string, resource: string): string {
  return `arn:${nodeRoles.partition}:${service}:${region}:${nodeRoles.account}:${resource}`;
}

const bucketArn = ({ nodeRoles }: PolicyPlace, bucket: string): string =>
  `arn:${nodeRoles.partition}:s3:::${bucket}`;

/**
 * What the SSM agent needs to take commands. AWS's own policy for it also reads every parameter of the account and opens
 * shells (`CreateDataChannel`): both are left out. So is `ec2messages`, through which agents before 3.3.40.0 got their
 * commands: a node image has a later one.
 */
export const agentActions = {
  ofInstance: ["ssm:UpdateInstanceInformation"],
  ofMessages: ["ssmmessages:CreateControlChannel", "ssmmessages:OpenControlChannel"],
} as const;

function agentStatements(place: PolicyPlace): Statement[] {
  return [
    { Effect: "Allow", Action: agentActions.ofInstance, Resource: [arn(place, "ec2", "instance/*")] },
    { Effect: "Allow", Action: agentActions.ofMessages, Resource: ["*"] },
  ];
}

/** Endpoints of networks let nothing else of Parameter Store through. */
export const readParameterActions = ["ssm:GetParameters"] as const;

/** Passwords and the backups' pass, and no CA key. Of a source the pass alone, and keys of stores by their names. */
function secretStatements(place: PolicyPlace, { clusterId, source, store }: NodeRights): Statement[] {
  const { environment, keyId, region } = place;
  const names = new Set([
    `${passwordPath(environment, clusterId)}/*`,
    `${backupPath(environment, clusterId)}/*`,
    ...(source === null ? [] : [cipherPassParameter(environment, source.clusterId)]),
    ...[store, source?.store ?? null].flatMap((one) => (one === null ? [] : [keysOf(environment, one)])),
  ]);
  const parameters = [...names].map((name) => arn(place, "ssm", `parameter${name}`));
  return [
    { Effect: "Allow", Action: readParameterActions, Resource: parameters },
    {
      Effect: "Allow",
      Action: ["kms:Decrypt"],
      Resource: [keyId],
      Condition: {
        StringEquals: { "kms:ViaService": `ssm.${region}.amazonaws.com` },
        StringLike: { "kms:EncryptionContext:PARAMETER_ARN": parameters },
      },
    },
  ];
}

/** A spec that names something else was refused: a policy is no place to find that out by giving it away. */
function keysOf(environment: string, { credentialsParameter }: BackupStore): string {
  if (credentialsParameter.startsWith(`${storeKeysPath(environment)}/`)) return credentialsParameter;
  throw new Error(`${credentialsParameter} is no parameter of a store of the environment ${environment}`);
}

/** A running operation's program can be older than the newest one: all of them lie side by side. */
function programStatement(place: PolicyPlace): Statement {
  const { bucket, key } = place.nodeProgram;
  const folder = key.slice(0, key.lastIndexOf("/") + 1);
  return {
    Effect: "Allow",
    Action: ["s3:GetObject"],
    Resource: [`${bucketArn(place, bucket)}/${folder}*.cjs`],
  };
}

export const keepObjectActions = [
  "s3:GetObject",
  "s3:PutObject",
  "s3:DeleteObject",
  "s3:AbortMultipartUpload",
  "s3:ListMultipartUploadParts",
] as const;
export const listObjectActions = ["s3:ListBucket", "s3:ListBucketMultipartUploads"] as const;

function backupStatements(place: PolicyPlace, { clusterId, source }: NodeRights): Statement[] {
  const { environment, keyId, region } = place;
  const bucket = bucketArn(place, place.backups.bucket);
  const prefixOf = (id: string): string =>
    `${repositoryKeyPrefix({ environment, clusterId: id, store: null })}*`;
  const own = prefixOf(clusterId);
  // What is in a store of somebody else's is opened by that store's keys.
  const foreign = source === null || source.store !== null ? [] : [prefixOf(source.clusterId)];
  return [
    { Effect: "Allow", Action: keepObjectActions, Resource: [`${bucket}/${own}`] },
    ...(foreign.length === 0
      ? []
      : [
          {
            Effect: "Allow",
            Action: ["s3:GetObject"],
            Resource: foreign.map((prefix) => `${bucket}/${prefix}`),
          } as const,
        ]),
    {
      Effect: "Allow",
      Action: listObjectActions,
      Resource: [bucket],
      // S3 also asks for this right, then without a prefix, before it says that an object is not there.
      Condition: { StringLikeIfExists: { "s3:prefix": [own, ...foreign] } },
    },
    {
      Effect: "Allow",
      Action: ["kms:GenerateDataKey", "kms:Decrypt"],
      Resource: [keyId],
      // Objects share data keys of their bucket: whose object it is, S3 has asked before.
      Condition: {
        StringEquals: {
          "kms:ViaService": `s3.${region}.amazonaws.com`,
          "kms:EncryptionContext:aws:s3:arn": bucket,
        },
      },
    },
  ];
}
