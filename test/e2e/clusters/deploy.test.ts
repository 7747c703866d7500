import { afterAll, expect, test } from "vitest";
import { ChangedCheckout } from "../support/checkout.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

const stepSeconds = 120;
const spec = { members: 1, storage: { sizeGiB: 1 } };

const stepsOf = async (operationId: string): Promise<string[]> =>
  (await api.operation(operationId)).steps.map(({ name }) => name);

/** The version that all other tests are about. */
afterAll(async () => {
  await environment.npm("start", "--no-demo");
});

test("a create that began before a deployment ends on the version it began with; the next one takes the new version", async () => {
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
