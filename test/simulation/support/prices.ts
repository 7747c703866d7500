/** USD in eu-central-1 without any free tier. docs/costs.md says of each where it was seen and when. */
export const prices = {
  lambdaGigabyteSecond: 0.0000133334,
  lambdaRequest: 0.2 / 1e6,
  readUnit: 0.1525 / 1e6,
  writeUnit: 0.7625 / 1e6,
  tableGigabyteMonth: 0.306,
  recoveryGigabyteMonth: 0.2448,
  keyMonth: 1,
  logGigabyte: 0.63,
  metricMonth: 0.3,
  alarmMetricMonth: 0.1,
  dashboardMonth: 3,
  endpointZoneHour: 0.012,
  natZoneHour: 0.052,
} as const;

const hoursPerMonth = 730;
const minutesPerMonth = hoursPerMonth * 60;
const gigabyte = 1024 ** 3;

/** As the template has them. */
const memoryGigabytes = 0.5;
/** Each minute. What sweeps retired versions eight times a day comes to a cent a month. */
const reconcilers = 8;
/** Of a sweep that finds nothing: a warm function and a call or two. */
const emptySweepSeconds = 0.15;
/** DynamoDB answers within this; sweeps ask about one cluster after the other. */
const callSeconds = 0.005;
/** The watch waits for its next round most of the time, and is paid for it. */
const watchSeconds = 58;
/** START, END and REPORT of an invocation, and the line of metrics. */
const logBytesPerInvocation = 500;
const logBytesPerCluster = 600;
const itemBytesPerCluster = 25_000;
const clusterMetrics = 5;
const environmentMetrics = 2;
const dashboards = 2;
/** `ssm`, `ssmmessages`, `kms`. */
const endpoints = 3;

/** What a month of an environment costs in which nothing happens but that everything is looked after. */
export interface Month {
  readonly functions: number;
  readonly table: number;
  readonly key: number;
  readonly logs: number;
  readonly alarms: number;
  readonly dashboards: number;
  readonly metrics: number;
}

export interface Load {
  readonly clusters: number;
  /** In a minute, of all sweeps. */
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly tableCalls: number;
  readonly alarmMetrics: number;
}

export function monthOf({ alarmMetrics, clusters, readUnits, tableCalls, writeUnits }: Load): Month {
  const watching = clusters === 0 ? 0 : watchSeconds;
  const busySeconds = reconcilers * emptySweepSeconds + watching + tableCalls * callSeconds;
  const logBytes = reconcilers * logBytesPerInvocation + clusters * logBytesPerCluster;
  return {
    functions:
      minutesPerMonth *
      (busySeconds * memoryGigabytes * prices.lambdaGigabyteSecond + reconcilers * prices.lambdaRequest),
    table:
      minutesPerMonth * (readUnits * prices.readUnit + writeUnits * prices.writeUnit) +
      ((clusters * itemBytesPerCluster) / gigabyte) *
        (prices.tableGigabyteMonth + prices.recoveryGigabyteMonth),
    key: prices.keyMonth,
    logs: ((minutesPerMonth * logBytes) / gigabyte) * prices.logGigabyte,
    alarms: alarmMetrics * prices.alarmMetricMonth,
    dashboards: dashboards * prices.dashboardMonth,
    metrics: (environmentMetrics + clusters * clusterMetrics) * prices.metricMonth,
  };
}

export const sumOf = (month: Month): number => Object.values(month).reduce((sum, value) => sum + value, 0);

/** Beside everything else: how nodes in private subnets reach AWS. */
export const networkMonth = (zones: number) => ({
  endpoints: endpoints * zones * hoursPerMonth * prices.endpointZoneHour,
  nat: zones * hoursPerMonth * prices.natZoneHour,
});
