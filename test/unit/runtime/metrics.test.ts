import { afterEach, expect, test, vi } from "vitest";
import { publishMetrics } from "../../../layers/runtime/metrics.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a metric is a line of the log that names its value, its unit and what it is about, as CloudWatch reads it", () => {
  const write = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  const value = { name: "Findings", unit: "Count", value: 2 } as const;
  publishMetrics({ Environment: "prod", Finding: "no-leader" }, [value], { clusterIds: ["clu_1", "clu_2"] });
  expect(write).toHaveBeenCalledTimes(1);
  const line = String(write.mock.calls[0]?.[0]);
  expect(line.endsWith("}\n")).toBe(true);
  expect(JSON.parse(line)).toEqual({
    _aws: {
      Timestamp: expect.any(Number),
      CloudWatchMetrics: [
        {
          Namespace: "pgherd",
          Dimensions: [["Environment", "Finding"]],
          Metrics: [{ Name: "Findings", Unit: "Count" }],
        },
      ],
    },
    Environment: "prod",
    Finding: "no-leader",
    Findings: 2,
    clusterIds: ["clu_1", "clu_2"],
  });
});
