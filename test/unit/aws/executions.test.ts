import { expect, test } from "vitest";
import { LambdaExecutions } from "../../../layers/aws/executions.ts";
import { settings } from "../../api/support/world.ts";
import { startWire, type Wire } from "./support/wire.ts";

const operationId = "opn_01JD3V9Q0CZ5J8W6T4S2R1N7KM";
const functionArn = "arn:aws:lambda:eu-central-1:111122223333:function:pgherd-dev-create-cluster";

const executionsOn = (wire: Wire) =>
  new LambdaExecutions({ ...settings, workflows: { "create-cluster": `${functionArn}:live` } }, wire.config);

const running = { state: "running", startedAt: new Date(1_700_000_000_000) };

const executionOf = (DurableExecutionName: string, Status: string) => ({
  DurableExecutionArn: `${functionArn}:3/durable-execution/${DurableExecutionName}/1`,
  DurableExecutionName,
  FunctionArn: `${functionArn}:3`,
  StartTimestamp: 1_700_000_000,
  Status,
});

test("an execution that runs on a version of before is found", async () => {
  await using wire = await startWire(({ url }) => ({
    DurableExecutions: url.searchParams.has("Qualifier") ? [] : [executionOf(operationId, "RUNNING")],
  }));

  expect(await executionsOn(wire).find("create-cluster", operationId, 0)).toEqual(running);
  expect(decodeURIComponent(wire.asked[0]?.url.pathname ?? "")).toContain(`${functionArn}/`);
});

test("an execution is found behind a page without any", async () => {
  await using wire = await startWire(({ url }) =>
    url.searchParams.get("Marker") === "more"
      ? { DurableExecutions: [executionOf(operationId, "RUNNING")] }
      : { DurableExecutions: [], NextMarker: "more" },
  );

  expect(await executionsOn(wire).find("create-cluster", operationId, 0)).toEqual(running);
});

test("a recovery is not taken for the execution that it replaces", async () => {
  await using wire = await startWire(() => ({
    DurableExecutions: [
      executionOf(`${operationId}-recovery-1`, "RUNNING"),
      executionOf(operationId, "STOPPED"),
    ],
  }));
  const executions = executionsOn(wire);

  expect(await executions.find("create-cluster", operationId, 0)).toMatchObject({
    state: "ended",
    outcome: "stopped",
  });
  expect(await executions.find("create-cluster", operationId, 1)).toEqual(running);
  expect(await executions.find("create-cluster", operationId, 2)).toEqual({ state: "absent" });
});

test("an execution that runs is stopped by its own name on its version; one that has ended is left alone", async () => {
  await using wire = await startWire(({ url }) =>
    url.pathname.endsWith("/stop")
      ? { StopTimestamp: 1_700_000_100 }
      : {
          DurableExecutions: [
            executionOf(`${operationId}-recovery-1`, "RUNNING"),
            executionOf(operationId, "TIMED_OUT"),
          ],
        },
  );
  const executions = executionsOn(wire);
  const stopped = () =>
    wire.asked.map(({ url }) => decodeURIComponent(url.pathname)).filter((path) => path.endsWith("/stop"));

  await executions.stop("create-cluster", operationId, 0);
  expect(stopped()).toEqual([]);
  await executions.stop("create-cluster", operationId, 1);
  expect(stopped()).toEqual([
    `/2025-12-01/durable-executions/${functionArn}:3/durable-execution/${operationId}-recovery-1/1/stop`,
  ]);
});
