/** Where CloudWatch keeps what is published. */
const namespace = "pgherd";

export interface Metric {
  readonly name: string;
  readonly unit: "Seconds" | "Count";
  readonly value: number;
}

/**
 * Publishes metrics of one cluster: a line of the log in CloudWatch's embedded metric format, which CloudWatch makes
 * metrics of by itself. So no call can fail or take time, and the log has the values, too.
 */
export function publishMetrics(
  of: { readonly environment: string; readonly clusterId: string },
  metrics: readonly Metric[],
  now: Date = new Date(),
): void {
  const line = {
    _aws: {
      Timestamp: now.getTime(),
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [["Environment", "ClusterId"]],
          Metrics: metrics.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
    Environment: of.environment,
    ClusterId: of.clusterId,
    ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
