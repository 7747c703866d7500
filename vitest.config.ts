import { defineConfig } from "vitest/config";

/** A unit test that needs longer than this waits for something it should not know of. */
const unitTimeoutMs = 20_000;
/** Workflow tests replay a whole create once per checkpoint. */
const workflowTimeoutMs = 240_000;
/** A synth of every stage takes seconds; two cores may be busy with something else. */
const infraTimeoutMs = 120_000;
/** A machine boots in less than a second; some tests boot several, again and again. */
const machineTimeoutMs = 60_000;
/** Longest single promise on real machines: a cluster created, broken, healed and deleted on two busy cores. */
const e2eTimeoutMs = 600_000;

export default defineConfig({
  test: {
    // The runner itself does little while the tests run.
    maxWorkers: "100%",
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: unitTimeoutMs } },
      {
        test: {
          name: "api",
          include: ["test/api/**/*.test.ts"],
          globalSetup: ["test/world/dynamodb-setup.ts"],
          testTimeout: unitTimeoutMs,
          hookTimeout: unitTimeoutMs * 3,
        },
      },
      {
        test: {
          name: "workflows",
          include: ["test/workflows/**/*.test.ts"],
          globalSetup: ["test/world/dynamodb-setup.ts"],
          testTimeout: workflowTimeoutMs,
          hookTimeout: workflowTimeoutMs,
        },
      },
      {
        test: {
          name: "simulation",
          include: ["test/simulation/**/*.test.ts"],
          globalSetup: ["test/world/dynamodb-setup.ts"],
          testTimeout: unitTimeoutMs * 3,
        },
      },
      {
        test: {
          name: "infra",
          include: ["test/infra/**/*.test.ts"],
          globalSetup: ["test/infra/support/setup.ts"],
          testTimeout: infraTimeoutMs,
          hookTimeout: infraTimeoutMs,
        },
      },
      {
        test: {
          name: "machines",
          include: ["test/machines/**/*.test.ts"],
          testTimeout: machineTimeoutMs,
          // The first one builds the node image where the cache has none.
          hookTimeout: e2eTimeoutMs,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/*.test.ts"],
          globalSetup: ["test/e2e/support/setup.ts"],
          testTimeout: e2eTimeoutMs,
          hookTimeout: e2eTimeoutMs,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "clusters",
          include: ["test/e2e/clusters/*.test.ts"],
          globalSetup: ["test/e2e/support/setup.ts"],
          testTimeout: e2eTimeoutMs,
          hookTimeout: e2eTimeoutMs,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "backups",
          include: ["test/e2e/backups/*.test.ts"],
          globalSetup: ["test/e2e/support/setup.ts"],
          testTimeout: e2eTimeoutMs,
          hookTimeout: e2eTimeoutMs,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "permissions",
          include: ["test/permissions/*.test.ts"],
          globalSetup: ["test/infra/support/setup.ts"],
          testTimeout: infraTimeoutMs,
          hookTimeout: infraTimeoutMs,
        },
      },
    ],
  },
});
