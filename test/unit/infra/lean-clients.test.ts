import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { takenFromModule } from "../../../infra/build/lean-clients.ts";

const sdk = fileURLToPath(import.meta.resolve("@aws/durable-execution-sdk-js"));

test("what the durable execution SDK takes of Lambda's client is read from its source", async () => {
  expect(takenFromModule(await readFile(sdk, "utf8")).toSorted()).toEqual([
    "CheckpointDurableExecutionCommand",
    "GetDurableExecutionStateCommand",
    "LambdaClient",
  ]);
});

test.each([
  ["takes nothing that can be seen", "const { LambdaClient } = module;"],
  ["takes more than what it makes", "new module.LambdaClient(); call(module.Command);"],
])("a source that %s fails the build", (_name, source) => {
  expect(() => takenFromModule(source)).toThrow("cannot be told");
});
