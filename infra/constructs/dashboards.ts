import { Duration } from "aws-cdk-lib";
import {
  Dashboard,
  DashboardVariable,
  DefaultValue,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  Values,
  VariableInputType,
  VariableType,
} from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import { clusterMetricNames, metricNames, metricNamespace } from "../../layers/domain/metrics.ts";
import { functionMetric, type Watched } from "./alarm-list.ts";
import { resourceName } from "./names.ts";

const minute = Duration.minutes(1);
const fiveMinutes = Duration.minutes(5);
/** Of the console's 24 columns. */
const half = 12;
const third = 8;
/** Stands in the widgets for the cluster that is chosen above them. */
const chosen = "clu_CHOSEN";

/**
 * Two for any number of clusters: one of the environment, and one that shows the cluster that is chosen in it. CloudWatch
 * charges for each dashboard, and clusters come and go without a deployment.
 */
export class EnvironmentDashboards extends Construct {
  constructor(scope: Construct, id: string, watched: Watched) {
    super(scope, id);
    this.#addEnvironment(watched);
    this.#addCluster(watched.environment);
  }

  #addEnvironment({ apiId, environment, functions, tableName }: Watched): void {
    const own = (metricName: string, statistic: string): Metric =>
      new Metric({
        namespace: metricNamespace,
        metricName,
        dimensionsMap: { Environment: environment },
        statistic,
        period: minute,
      });
    const api = (metricName: string, statistic: string): Metric =>
      new Metric({
        namespace: "AWS/ApiGateway",
        metricName,
        dimensionsMap: { ApiId: apiId },
        statistic,
        period: fiveMinutes,
      });
    const table = (metricName: string): Metric =>
      new Metric({
        namespace: "AWS/DynamoDB",
        metricName,
        dimensionsMap: { TableName: tableName },
        statistic: Stats.SUM,
        period: fiveMinutes,
      });
    const each = (metricName: string): IMetric[] =>
      functions.map((name) => functionMetric(environment, name, metricName).with({ label: name }));
    new Dashboard(this, "Environment", {
      dashboardName: resourceName(environment, "environment"),
      widgets: [
        [
          graph("Findings: clusters that have one of the kind", half, [findingsOf(environment)]),
          graph("Clusters", half, [
            own(metricNames.clustersWatched, Stats.MAXIMUM),
            own(metricNames.clustersNotJudged, Stats.MAXIMUM),
          ]),
        ],
        [
          graph("Fullest data volume", third, [own(metricNames.diskUsedShareMax, Stats.MAXIMUM)]),
          graph("Operations", third, [
            own(metricNames.operationsFailed, Stats.SUM),
            own(metricNames.operationsStuck, Stats.SUM),
          ]),
          graph("API: requests", third, [
            api("Count", Stats.SUM),
            api("4xx", Stats.SUM),
            api("5xx", Stats.SUM),
          ]),
        ],
        [
          graph("API: latency, ms", third, [api("Latency", Stats.p(50)), api("Latency", Stats.p(95))]),
          graph("Functions: errors", third, each("Errors")),
          graph("Functions: throttles", third, each("Throttles")),
        ],
        [
          graph("Table: units", half, [
            table("ConsumedReadCapacityUnits"),
            table("ConsumedWriteCapacityUnits"),
          ]),
          graph("Table: throttles", half, [table("ReadThrottleEvents"), table("WriteThrottleEvents")]),
        ],
      ],
    });
  }

  #addCluster(environment: string): void {
    const names = clusterMetricNames;
    const ofChosen = (title: string, metricName: string): GraphWidget =>
      graph(title, half, [
        new Metric({
          namespace: metricNamespace,
          metricName,
          dimensionsMap: { Environment: environment, ClusterId: chosen },
          statistic: Stats.MAXIMUM,
          period: minute,
        }),
      ]);
    const known = `{${metricNamespace},Environment,ClusterId} MetricName="${names.diskUsedShare}" Environment="${environment}"`;
    new Dashboard(this, "Cluster", {
      dashboardName: resourceName(environment, "cluster"),
      variables: [
        new DashboardVariable({
          id: "cluster",
          label: "Cluster",
          type: VariableType.PATTERN,
          value: chosen,
          inputType: VariableInputType.SELECT,
          values: Values.fromSearch(known, "ClusterId"),
          defaultValue: DefaultValue.FIRST,
        }),
      ],
      widgets: [
        [
          ofChosen("Replication: bytes that the last replica lags", names.replicationLagBytes),
          ofChosen(
            "WAL: seconds that the oldest segment has waited for the archive",
            names.walArchiveAgeSeconds,
          ),
        ],
        [
          ofChosen("Backups: seconds since the newest one", names.backupAgeSeconds),
          ofChosen("Fullest data volume", names.diskUsedShare),
        ],
        [ofChosen("Connections in use, of those for clients", names.connectionsUsedShare)],
      ],
    });
  }
}

/** Kinds that nobody has are not there, so they are looked for and not listed. */
function findingsOf(environment: string): MathExpression {
  const search = `{${metricNamespace},Environment,Finding} MetricName="${metricNames.findings}" Environment="${environment}"`;
  return new MathExpression({
    expression: `SEARCH('${search}', 'Maximum', 60)`,
    usingMetrics: {},
    label: "",
    period: minute,
  });
}

const graph = (title: string, width: number, left: IMetric[]): GraphWidget =>
  new GraphWidget({ title, width, left });
