import { Duration } from "aws-cdk-lib";
import { type IMetric, MathExpression, Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import {
  diskAlarmShares,
  patienceMinutes,
  urgentFindings,
} from "../../layers/domain/cluster/health/alarms.ts";
import { type FindingKind, findingKinds } from "../../layers/domain/cluster/health/findings.ts";
import { metricNames, metricNamespace } from "../../layers/domain/metrics.ts";
import { failedEvents, resourceName } from "./names.ts";

/** What the alarms and dashboards of an environment look at. */
export interface Watched {
  readonly environment: string;
  readonly apiId: string;
  readonly tableName: string;
  /** Names of the functions that run by themselves or for callers. */
  readonly functions: readonly string[];
}

export interface AlarmEntry {
  /** Unique within the environment. */
  readonly name: string;
  readonly description: string;
  /** `docs/runbooks/<runbook>.md` */
  readonly runbook: string;
  readonly metric: IMetric;
  readonly threshold: number;
  /** Of so many periods in a row, each one. */
  readonly periods: number;
  /** Where nothing is published nothing is wrong; of a sign of life it is the other way round. */
  readonly isSignOfLife?: true;
}

/** Runbooks of what the control plane itself suffers from; those of clusters are named after their finding. */
export const controlPlaneRunbooks = [
  "watch-silent",
  "operation-failed",
  "operation-stuck",
  "api-errors",
  "api-slow",
  "function-errors",
  "function-throttled",
  "events-failed",
  "table-throttled",
] as const;
type ControlPlaneRunbook = (typeof controlPlaneRunbooks)[number];

const minute = Duration.minutes(1);
const fiveMinutes = Duration.minutes(5);

/** A caller's mistake is no 5xx; one lost request may be. */
const apiErrorsMin = 3;
/** Answers take tens of milliseconds, those that ask a node a second or two. */
const apiLatencyMsMax = 5_000;
/** All tries of one asynchronous invocation, or a timer's call that fails again and again. */
const functionErrorsMin = 3;
/** CloudWatch's own limit of metrics in one expression. */
const metricsPerExpressionMax = 10;

const ownMetric = (
  { environment }: Watched,
  name: string,
  statistic: string,
  dimensions: Readonly<Record<string, string>> = {},
): Metric =>
  new Metric({
    namespace: metricNamespace,
    metricName: name,
    dimensionsMap: { Environment: environment, ...dimensions },
    statistic,
    period: minute,
  });

export function alarmEntries(watched: Watched): AlarmEntry[] {
  return [
    ...findingKinds.filter((kind) => kind !== "disk-full").map((kind) => findingAlarm(watched, kind)),
    ...diskAlarmShares.map((share) => diskAlarm(watched, share)),
    ...controlPlaneAlarms(watched),
    ...apiAlarms(watched),
    ...functionAlarms(watched),
  ];
}

function findingAlarm(watched: Watched, kind: FindingKind): AlarmEntry {
  return {
    name: kind,
    description: `Clusters have the finding ${kind}; the log of cluster-health names them`,
    runbook: kind,
    metric: ownMetric(watched, metricNames.findings, Stats.MAXIMUM, { Finding: kind }),
    threshold: 1,
    periods: urgentFindings.includes(kind) ? 1 : patienceMinutes,
  };
}

function diskAlarm(watched: Watched, share: number): AlarmEntry {
  const percent = Math.round(share * 100);
  return {
    name: `disk-${percent}`,
    description: `A data volume is ${percent} % full; the metric DiskUsedShare of each cluster says which one's`,
    runbook: "disk-full",
    metric: ownMetric(watched, metricNames.diskUsedShareMax, Stats.MAXIMUM),
    threshold: share,
    periods: patienceMinutes,
  };
}

const own = (name: ControlPlaneRunbook): Pick<AlarmEntry, "name" | "runbook"> => ({ name, runbook: name });

function controlPlaneAlarms(watched: Watched): AlarmEntry[] {
  return [
    {
      ...own("watch-silent"),
      description: "Nobody has looked at the clusters for five minutes: whatever happens to them is not told",
      metric: ownMetric(watched, metricNames.clustersWatched, Stats.SAMPLE_COUNT),
      threshold: 1,
      periods: patienceMinutes,
      isSignOfLife: true,
    },
    {
      name: "not-judged",
      runbook: "watch-silent",
      description: "Clusters cannot be looked at; the log of cluster-health says why",
      metric: ownMetric(watched, metricNames.clustersNotJudged, Stats.MAXIMUM),
      threshold: 1,
      periods: patienceMinutes,
    },
    {
      ...own("operation-failed"),
      description: "An operation has failed; the logs of the functions name it",
      metric: ownMetric(watched, metricNames.operationsFailed, Stats.SUM),
      threshold: 1,
      periods: 1,
    },
    {
      ...own("operation-stuck"),
      description:
        "An operation has made no progress for an hour and is stopped; the log of stuck-operations names it",
      metric: ownMetric(watched, metricNames.operationsStuck, Stats.SUM),
      threshold: 1,
      periods: 1,
    },
    {
      ...own("events-failed"),
      description: "A function could not take what it was sent; the event waits in the queue",
      metric: new Metric({
        namespace: "AWS/SQS",
        metricName: "ApproximateNumberOfMessagesVisible",
        dimensionsMap: { QueueName: resourceName(watched.environment, failedEvents) },
        statistic: Stats.MAXIMUM,
        period: fiveMinutes,
      }),
      threshold: 1,
      periods: 1,
    },
    {
      ...own("table-throttled"),
      description: "DynamoDB has refused reads or writes of the environment's table",
      metric: sumOf(tableThrottles(watched), fiveMinutes),
      threshold: 1,
      periods: 1,
    },
  ];
}

function tableThrottles({ tableName: TableName }: Watched): Metric[] {
  const places = [
    { TableName },
    ...["gsi1", "gsi2"].map((index) => ({ TableName, GlobalSecondaryIndexName: index })),
  ];
  return places.flatMap((dimensionsMap) =>
    ["ReadThrottleEvents", "WriteThrottleEvents"].map(
      (metricName) =>
        new Metric({
          namespace: "AWS/DynamoDB",
          metricName,
          dimensionsMap,
          statistic: Stats.SUM,
          period: fiveMinutes,
        }),
    ),
  );
}

function apiAlarms({ apiId: ApiId }: Watched): AlarmEntry[] {
  const metric = (metricName: string, statistic: string): Metric =>
    new Metric({
      namespace: "AWS/ApiGateway",
      metricName,
      dimensionsMap: { ApiId },
      statistic,
      period: fiveMinutes,
    });
  return [
    {
      ...own("api-errors"),
      description: `The API has answered ${apiErrorsMin} or more requests with 5xx within five minutes`,
      metric: metric("5xx", Stats.SUM),
      threshold: apiErrorsMin,
      periods: 1,
    },
    {
      ...own("api-slow"),
      description: `One in twenty requests has taken ${apiLatencyMsMax / 1000} s or more for a quarter of an hour`,
      metric: metric("Latency", Stats.percentile(95)),
      threshold: apiLatencyMsMax,
      periods: 3,
    },
  ];
}

export const functionMetric = (environment: string, name: string, metricName: string): Metric =>
  new Metric({
    namespace: "AWS/Lambda",
    metricName,
    dimensionsMap: { FunctionName: resourceName(environment, name) },
    statistic: Stats.SUM,
    period: fiveMinutes,
  });

function functionAlarms({ environment, functions }: Watched): AlarmEntry[] {
  const failing = functions.map(
    (name): AlarmEntry => ({
      name: `errors-${name}`,
      description: `The function ${name} has failed ${functionErrorsMin} times or more within five minutes`,
      runbook: "function-errors",
      metric: functionMetric(environment, name, "Errors"),
      threshold: functionErrorsMin,
      periods: 1,
    }),
  );
  const groups = Array.from({ length: Math.ceil(functions.length / metricsPerExpressionMax) }, (_, index) =>
    functions.slice(index * metricsPerExpressionMax, (index + 1) * metricsPerExpressionMax),
  );
  const throttled = groups.map(
    (names, index): AlarmEntry => ({
      name: `throttled-${index + 1}`,
      description: `Lambda has refused calls of ${names.join(", ")}`,
      runbook: "function-throttled",
      metric: sumOf(
        names.map((name) => functionMetric(environment, name, "Throttles")),
        fiveMinutes,
      ),
      threshold: 1,
      periods: 1,
    }),
  );
  return [...failing, ...throttled];
}

function sumOf(metrics: readonly Metric[], period: Duration): MathExpression {
  return new MathExpression({
    expression: "SUM(METRICS())",
    usingMetrics: Object.fromEntries(metrics.map((metric, index) => [`m${index}`, metric])),
    period,
  });
}
