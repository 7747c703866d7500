/** Actions that no local environment can use, with what uses them on AWS. */
export const usedElsewhere: Readonly<Record<string, string>> = {
  "logs:CreateLogStream": "Lambda writes a function's log with the function's role; here it is a file",
  "logs:PutLogEvents": "Lambda writes a function's log with the function's role; here it is a file",
  "logs:DescribeLogStreams": "the VPC's flow log; no machine's bridge has one",
  "sqs:SendMessage": "Lambda keeps an event that a function failed on with the function's role",
  "xray:PutTraceSegments": "Lambda's own, for each call that it traces",
  "xray:PutTelemetryRecords": "Lambda's own, for each call that it traces",
  "states:StartExecution": "CDK's provider of custom resources waits in a state machine of its own",
  "lambda:GetFunction": "CDK's provider of custom resources waits for its functions to be ready",
  "ec2:DescribeImages": "EC2 Image Builder, before it writes the id of a new node image to its parameter",
  "ssm:UpdateInstanceInformation": "the SSM agent's own; here commands reach machines without one",
  "ssmmessages:CreateControlChannel": "the SSM agent's own; here commands reach machines without one",
  "ssmmessages:OpenControlChannel": "the SSM agent's own; here commands reach machines without one",
  "s3:ListBucketMultipartUploads":
    "people who look for uploads that a dead node left; no call here lists them",
  "s3:ListMultipartUploadParts": "people who look for uploads that a dead node left; no call here lists them",
};

/** Actions of moments that not every run of the tests comes to. */
export const rarelyUsed: Readonly<Record<string, string>> = {
  "lambda:GetDurableExecutionState": "read when an execution's history does not fit in one invocation",
  "lambda:DeleteFunction":
    "a version that deployments left behind half a day ago; no run of the tests takes as long",
  "lambda:ListDurableExecutionsByFunction": "an operation that has not ended though nobody works on it",
  "lambda:StopDurableExecution": "an execution that its operation has given up, which still runs",
  "s3:AbortMultipartUpload": "pgBackRest gives up an upload when S3 fails in the middle of it",
  "ec2:RevokeSecurityGroupIngress": "a cluster whose rules are more than its spec says",
};
