import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withLock } from "../../../layers/node/lock.ts";
import { type CommandKey, FinishedCommands } from "../../../layers/node/memory.ts";
import { answer } from "../../../layers/node/program.ts";

const context = {
  readSecrets: async () => new Map<string, string>(),
  openObjects: () => Promise.reject(new Error("no verb of this test keeps objects")),
};
const key: CommandKey = { operationId: "opn_1", step: "configure", verb: "configure", input: "{}" };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-memory-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe("finished commands", () => {
  test("an answer is remembered, also by another process", async () => {
    await new FinishedCommands(directory).remember(key, { changed: ["a"] });
    expect(await new FinishedCommands(directory).recall(key)).toEqual({ output: { changed: ["a"] } });
  });

  test.each<[string, Partial<CommandKey>]>([
    ["another operation", { operationId: "opn_2" }],
    ["another step", { step: "again" }],
    ["another verb", { verb: "prepare" }],
    ["another input", { input: '{"a":1}' }],
  ])("%s is another command", async (_, other) => {
    const memory = new FinishedCommands(directory);
    await memory.remember(key, {});
    expect(await memory.recall({ ...key, ...other })).toBeNull();
  });

  test("a finished command is answered without being done again", async () => {
    const memory = new FinishedCommands(directory);
    // This input would be refused, were it looked at.
    await memory.remember(key, { changed: ["from the first time"] });
    const output = await answer(key, context, memory);
    expect(output).toEqual({ changed: ["from the first time"] });
  });

  test("a failure is not remembered: the next try is a try", async () => {
    const memory = new FinishedCommands(directory);
    await expect(answer(key, context, memory)).rejects.toMatchObject({ code: "invalid-input" });
    expect(await readdir(directory)).toEqual([]);
  });
});

describe("what is refused before anything is done", () => {
  const plain = { operationId: undefined, step: undefined };

  test("a verb that does not exist", async () => {
    const asked = answer({ ...plain, verb: "format", input: "{}" }, context, new FinishedCommands(directory));
    await expect(asked).rejects.toMatchObject({ code: "unknown-verb" });
  });

  test("a verb that only every object has", async () => {
    const asked = answer(
      { ...plain, verb: "constructor", input: "{}" },
      context,
      new FinishedCommands(directory),
    );
    await expect(asked).rejects.toMatchObject({ code: "unknown-verb" });
  });

  test("an input that is not JSON", async () => {
    const asked = answer({ ...plain, verb: "prepare", input: "{" }, context, new FinishedCommands(directory));
    await expect(asked).rejects.toMatchObject({ code: "invalid-input", message: "the input is not JSON" });
  });

  test("an input that the schema does not know, with the field", async () => {
    const input = JSON.stringify({ clusterId: "x", nodeId: "y", extra: 1 });
    const asked = answer({ ...plain, verb: "observe", input }, context, new FinishedCommands(directory));
    await expect(asked).rejects.toThrow(/clusterId: must be a cluster id.*nodeId: must be a node id/);
  });
});

test("the same command twice at once: the second waits for the first", async () => {
  const order: string[] = [];
  const hold = Promise.withResolvers<void>();
  const first = withLock("same", 5000, async () => {
    order.push("first begins");
    await hold.promise;
    order.push("first ends");
  });
  await expect.poll(() => order).toEqual(["first begins"]);
  const second = withLock("same", 5000, async () => {
    order.push("second begins");
  });
  hold.resolve();
  await Promise.all([first, second]);
  expect(order).toEqual(["first begins", "first ends", "second begins"]);
});

test("another command does not wait", async () => {
  const inner = await withLock("one", 100, () => withLock("two", 100, async () => "went through"));
  expect(inner).toBe("went through");
});

test("a command that hangs does not hang those that come after it", async () => {
  const waited = withLock("held", 1000, () => withLock("held", 100, async () => "never"));
  await expect(waited).rejects.toMatchObject({ code: "busy" });
});
