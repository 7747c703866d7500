import { type MetricDimensions, metricNamespace } from "../domain/metrics.ts";
import type { LogFields } from "./log.ts";

export interface Metric {
  readonly name: string;
  /** `None`: a share, from 0 to 1. */
  readonly unit: "Seconds" | "Bytes" | "Count" | "None";
  readonly value: number;
}

export type PublishMetrics = (
  dimensions: MetricDimensions,
  metrics: readonly Metric[],
  fields?: LogFields,
) => void;

/**
 * Publishes metrics: a line of the log in CloudWatch's embedded metric format, which CloudWatch makes metrics of by
 * itself. So no call can fail or take time, and the log has the values, too.
 * @param fields go into the log alone, whatever their number
 */
export const publishMetrics: PublishMetrics = (dimensions, metrics, fields = {}) => {
  const line = {
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [
        {
          Namespace: metricNamespace,
          Dimensions: [Object.keys(dimensions)],
          Metrics: metrics.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
    ...fields,
    ...dimensions,
    ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
};
