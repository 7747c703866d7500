import { isObject } from "../endpoints/input.ts";
import { questionsOfDynamoDb } from "./dynamodb.ts";
import { questionsOfEc2 } from "./ec2.ts";
import { questionsOfIam } from "./iam.ts";
import { questionsOfLambda } from "./lambda.ts";
import { questionsOfMissingObject, questionsOfS3 } from "./s3.ts";
import { questionsOfScheduler } from "./scheduler.ts";
import { questionsOfSsm } from "./ssm.ts";
import type { Asking, Question, ServiceCall, Surroundings } from "./use.ts";

const services: Readonly<Record<string, Asking>> = {
  dynamodb: questionsOfDynamoDb,
  ec2: questionsOfEc2,
  iam: questionsOfIam,
  lambda: questionsOfLambda,
  s3: questionsOfS3,
  scheduler: questionsOfScheduler,
  ssm: questionsOfSsm,
};

/** Calls that IAM asks nobody about. */
const free: readonly string[] = ["sts:GetCallerIdentity"];

/**
 * What IAM would be asked about a call. A call that nothing here knows becomes a question about every resource, which
 * policies of ours do not allow: it shows in the replay.
 * @throws {ServiceError} for a call that the service itself refuses.
 */
export function questionsOf(call: ServiceCall, surroundings: Surroundings): readonly Question[] {
  const { service, action, input } = call;
  if (free.includes(`${service}:${action}`) || !isObject(input)) return [];
  const asking = services[service];
  if (asking === undefined) return [{ action: `${service}:${action}`, resource: "*", circumstances: {} }];
  const questions = asking(action, input, surroundings);
  return call.errorCode === "NoSuchKey" ? [...questions, ...questionsOfMissingObject(input)] : questions;
}
