interface Quota {
  readonly perSecond: number;
  /** Where AWS says so; null: it does not, and this is what we allow ourselves twice. */
  readonly source: string | null;
}

const ec2 = "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html";
const dynamodb = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html";
const systemsManager = "https://docs.aws.amazon.com/general/latest/gr/ssm.html";
const lambda = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html";
const scheduler = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html";

/** What an account may do in a second and a region where nobody has raised it. EC2's: how fast its buckets fill. */
export const quotas = {
  "ec2:DescribeInstances": { perSecond: 20, source: ec2 },
  "ec2:DescribeNetworkInterfaces": { perSecond: 20, source: ec2 },
  "ec2:DescribeVolumes": { perSecond: 20, source: ec2 },
  "ec2:DescribeSecurityGroups": { perSecond: 20, source: ec2 },
  "ssm:SendCommand": { perSecond: 20, source: null },
  "ssm:GetParametersByPath": { perSecond: 40, source: systemsManager },
  "scheduler:ListSchedules": { perSecond: 50, source: scheduler },
  // All that is asked about functions shares one quota.
  "lambda:ListVersionsByFunction": { perSecond: 15, source: lambda },
  "lambda:ListAliases": { perSecond: 15, source: lambda },
  "iam:ListRoles": { perSecond: 10, source: null },
  readUnits: { perSecond: 40_000, source: dynamodb },
  writeUnits: { perSecond: 40_000, source: dynamodb },
} as const satisfies Readonly<Record<string, Quota>>;
