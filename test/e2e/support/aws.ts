import { EC2Client } from "@aws-sdk/client-ec2";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { ListBucketsCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { SchedulerClient } from "@aws-sdk/client-scheduler";
import { SSMClient } from "@aws-sdk/client-ssm";
import type { Environment } from "./environment.ts";

/** How any AWS client speaks to the environment: with the variables of aws.env. */
export async function awsSettings(
  environment: Environment,
  service: "DYNAMODB" | "EC2" | "IAM" | "LAMBDA" | "S3" | "SCHEDULER" | "SSM",
): Promise<{
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}> {
  const variables = await environment.awsVariables();
  const variable = (name: string): string => {
    const value = variables[name];
    if (value === undefined) throw new Error(`aws.env has no ${name}`);
    return value;
  };
  return {
    endpoint: variables[`AWS_ENDPOINT_URL_${service}`] ?? variable("AWS_ENDPOINT_URL"),
    region: variable("AWS_REGION"),
    credentials: {
      accessKeyId: variable("AWS_ACCESS_KEY_ID"),
      secretAccessKey: variable("AWS_SECRET_ACCESS_KEY"),
    },
  };
}

export async function ec2Client(environment: Environment): Promise<EC2Client> {
  return new EC2Client(await awsSettings(environment, "EC2"));
}

export async function lambdaClient(environment: Environment): Promise<LambdaClient> {
  return new LambdaClient(await awsSettings(environment, "LAMBDA"));
}

export async function s3Client(environment: Environment): Promise<S3Client> {
  return new S3Client({ ...(await awsSettings(environment, "S3")), forcePathStyle: true });
}

/** The environment's own one, which has backups. */
export async function backupBucket(s3: S3Client): Promise<string> {
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  const bucket = Buckets.find(({ Name = "" }) => /backups/i.test(Name))?.Name;
  if (bucket === undefined) throw new Error("the environment has no bucket for backups");
  return bucket;
}

export async function keysIn(s3: S3Client, Bucket: string, Prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix }));
  return Contents.map(({ Key = "" }) => Key);
}

export async function ssmClient(environment: Environment): Promise<SSMClient> {
  return new SSMClient(await awsSettings(environment, "SSM"));
}

export async function schedulerClient(environment: Environment): Promise<SchedulerClient> {
  return new SchedulerClient(await awsSettings(environment, "SCHEDULER"));
}
