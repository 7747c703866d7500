import { InvokeCommand, ListVersionsByFunctionCommand } from "@aws-sdk/client-lambda";
import { afterAll, expect, test } from "vitest";
import { lambdaClient } from "../support/aws.ts";
import { ChangedCheckout } from "../support/checkout.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

const stepSeconds = 120;
const spec = { members: 1, storage: { sizeGiB: 1 } };

const stepsOf = async (operationId: string): Promise<string[]> =>
  (await api.operation(operationId)).steps.map(({ name }) => name);

/** Runs the sweep whose timer would take hours. @returns the versions that there are after it */
async function versionsAfterSweep(workflow: string): Promise<(string | undefined)[]> {
  const lambda = await lambdaClient(environment);
  try {
    const swept = await lambda.send(new InvokeCommand({ FunctionName: "pgherd-local-retired-versions" }));
    expect(swept.FunctionError).toBeUndefined();
    const question = { FunctionName: `pgherd-local-${workflow}` };
    const { Versions = [] } = await lambda.send(new ListVersionsByFunctionCommand(question));
    return Versions.map(({ Version }) => Version).filter((version) => version !== "$LATEST");
  } finally {
    lambda.destroy();
  }
}

/** The version that all other tests are about. */
afterAll(async () => {
  await environment.npm("start", "--no-demo");
});

test("a create that began before a deployment ends on the version it began with, which is not swept away; the next one takes the new version", async () => {
  await using next = await ChangedCheckout.make({
    file: "functions/workflows/create-cluster.ts",
    from: 'step("verify"',
    to: 'step("verify-anew"',
  });
  const old = await api.create({ ...spec, name: "deployed-under" });
  await waitFor("the create has begun", stepSeconds, async () =>
    (await stepsOf(old.operation.id)).length > 1 ? true : undefined,
  );

  await environment.npmOf(next.directory, "start", "--no-demo");
  const versions = await versionsAfterSweep("create-cluster");
  expect(versions.length).toBeGreaterThanOrEqual(2);

  expect(await api.operationEnd(old.operation.id)).toMatchObject({ state: "succeeded" });
  const oldSteps = await stepsOf(old.operation.id);
  expect(oldSteps).toContain("verify");
  expect(oldSteps).not.toContain("verify-anew");
  await api.remove(old.cluster.id);

  const young = await api.create({ ...spec, name: "deployed-after" });
  expect((await api.operationEnd(young.operation.id)).state).toBe("succeeded");
  expect(await stepsOf(young.operation.id)).toContain("verify-anew");
  await api.remove(young.cluster.id);
});
