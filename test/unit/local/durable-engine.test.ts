import { type DurableContext, withDurableExecution } from "@aws/durable-execution-sdk-js";
import { afterEach, describe, expect, test } from "vitest";
import { type CheckpointInfo, DurableEngine } from "../../../local/lambda/durable/engine.ts";
import { Documents } from "../../../local/state/documents.ts";
import { inProcessInvoker, SimulatedCrash } from "../../world/in-process-durable.ts";

type Handler = (event: unknown, context: unknown) => Promise<unknown>;
type Hooks = {
  beforeCheckpoint?: (info: CheckpointInfo) => void;
  afterCheckpoint?: (info: CheckpointInfo) => void;
};

const engines: DurableEngine[] = [];
afterEach(() => {
  for (const engine of engines.splice(0)) engine.close();
});

function durable(work: (event: { n: number }, context: DurableContext) => Promise<unknown>): Handler {
  return withDurableExecution(work) as unknown as Handler;
}

function engineFor(
  handler: Handler,
  options: { documents?: Documents; hooks?: Hooks; chained?: (payload: string) => Promise<string> } = {},
): DurableEngine {
  const engine: DurableEngine = new DurableEngine({
    documents: options.documents ?? new Documents(":memory:"),
    region: "local-1",
    account: "000000000000",
    invoke: inProcessInvoker(
      () => handler,
      () => engine,
    ),
    ...(options.chained === undefined
      ? {}
      : { invokeChained: ({ payload }) => options.chained?.(payload) ?? Promise.reject(new Error("none")) }),
    ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
    crashDelayMs: () => 0,
  });
  engines.push(engine);
  return engine;
}

function request(name: string, input: unknown = { n: 1 }, executionTimeoutSeconds = 60) {
  return {
    functionName: "create-cluster",
    version: "1",
    name,
    payload: JSON.stringify(input),
    executionTimeoutSeconds,
    retentionDays: 1,
  };
}

/** Steps, a wait, a step that fails once, a child context and a parallel, as a saga has them. */
function sampleWorkflow(effects: string[]): Handler {
  let failures = 0;
  return durable(async (event, context) => {
    const a = await context.step("a", async () => {
      effects.push("a");
      return event.n + 1;
    });
    await context.wait("pause", { seconds: 1 });
    const b = await context.step(
      "b",
      async () => {
        effects.push("b");
        if (failures++ === 0) throw new Error("first try");
        return a * 10;
      },
      { retryStrategy: (_error, attempts) => ({ shouldRetry: attempts < 3, delay: { seconds: 1 } }) },
    );
    const c = await context.runInChildContext("child", async (child) => {
      const inner = await child.step("inner", async () => b + 1);
      const both = await child.parallel("both", [
        async (branch) => branch.step("left", async () => inner + 1),
        async (branch) => branch.step("right", async () => inner + 2),
      ]);
      return both.getResults();
    });
    return { a, b, c };
  });
}
const sampleResult = { a: 2, b: 20, c: [22, 23] };

describe("durable engine", () => {
  test("runs steps, waits, retries and child contexts to the result", async () => {
    const effects: string[] = [];
    const engine = engineFor(sampleWorkflow(effects));
    const { arn } = engine.start(request("opn_1"));
    const ended = await engine.ended(arn);
    expect(ended.error).toBeNull();
    expect(JSON.parse(ended.result ?? "")).toEqual(sampleResult);
    expect(effects).toEqual(["a", "b", "b"]);
  });

  test("crashed before or after any checkpoint, it ends with the same result", async () => {
    const counted = { n: 0 };
    const plain = engineFor(sampleWorkflow([]), { hooks: { beforeCheckpoint: () => void counted.n++ } });
    await plain.ended(plain.start(request("count")).arn);
    expect(counted.n).toBeGreaterThan(5);
    const runs = ["beforeCheckpoint", "afterCheckpoint"].flatMap((when) =>
      Array.from({ length: counted.n }, (_, index) => ({ when, at: index + 1 })),
    );
    const results = await Promise.all(
      runs.map(async ({ when, at }) => {
        const hook = (info: CheckpointInfo) => {
          if (info.number === at) throw new SimulatedCrash();
        };
        const engine = engineFor(sampleWorkflow([]), { hooks: { [when]: hook } });
        const ended = await engine.ended(engine.start(request(`${when}-${at}`)).arn);
        return { status: ended.status, result: ended.result };
      }),
    );
    expect(results).toEqual(runs.map(() => ({ status: "SUCCEEDED", result: JSON.stringify(sampleResult) })));
  });

  test("a new engine on the same state goes on where the killed one was", async () => {
    const documents = new Documents(":memory:");
    const effects: string[] = [];
    let killed: (() => void) | undefined;
    const reached = new Promise<void>((resolve) => {
      killed = resolve;
    });
    const first = engineFor(
      durable(async (_event, context) => {
        await context.step("one", async () => void effects.push("one"));
        await context.step("two", async () => {
          effects.push("two");
          killed?.();
          await new Promise(() => undefined);
        });
      }),
      { documents },
    );
    const { arn } = first.start(request("opn_2"));
    await reached;
    first.close();
    const second = engineFor(
      durable(async (_event, context) => {
        await context.step("one", async () => void effects.push("one again"));
        await context.step("two", async () => void effects.push("two again"));
        return "done";
      }),
      { documents },
    );
    second.recover();
    expect((await second.ended(arn)).result).toBe('"done"');
    expect(effects).toEqual(["one", "two", "two again"]);
  });

  test("the same name and payload is the same execution, another payload is refused", async () => {
    const engine = engineFor(durable(async () => "ok"));
    const first = engine.start(request("opn_3"));
    expect(engine.start(request("opn_3")).arn).toBe(first.arn);
    expect(() => engine.start(request("opn_3", { n: 2 }))).toThrow(
      expect.objectContaining({ code: "DurableExecutionAlreadyStartedException", statusCode: 409 }),
    );
    await engine.ended(first.arn);
    expect(engine.start(request("opn_3")).arn).toBe(first.arn);
  });

  test("a stale token is refused, the newest is taken, and a lost answer is given again", async () => {
    let token = "";
    let release: (() => void) | undefined;
    const engine: DurableEngine = new DurableEngine({
      documents: new Documents(":memory:"),
      region: "local-1",
      account: "0",
      invoke: async ({ event }) => {
        token = event.CheckpointToken;
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        return { Status: "SUCCEEDED" };
      },
    });
    engines.push(engine);
    const { arn } = engine.start(request("opn_4"));
    await expect.poll(() => token).not.toBe("");
    const first = token;
    const checkpoint = (clientToken: string, id: string) =>
      engine.checkpoint(
        {
          arn,
          token: first,
          clientToken,
          updates: [{ Id: id, Type: "STEP", Action: "SUCCEED", Payload: "1" }],
        },
        "epoch-seconds",
      );
    const answer = await checkpoint("c1", "s1");
    expect(await checkpoint("c1", "s1")).toEqual(answer);
    await expect(checkpoint("c2", "s2")).rejects.toMatchObject({
      code: "InvalidParameterValueException",
      message: expect.stringMatching(/^Invalid Checkpoint Token/),
    });
    expect(engine.operations(arn)).toHaveLength(2);
    release?.();
    await engine.ended(arn);
  });

  test("a callback ends with what it was answered", async () => {
    let callbackId = "";
    const engine = engineFor(
      durable(async (_event, context) =>
        context.waitForCallback("approval", async (id) => {
          callbackId = id;
        }),
      ),
    );
    const { arn } = engine.start(request("opn_5"));
    await expect.poll(() => callbackId, { timeout: 5_000 }).not.toBe("");
    engine.completeCallback(callbackId, { result: '"yes"' });
    const ended = await engine.ended(arn);
    expect(ended).toMatchObject({ status: "SUCCEEDED" });
    expect(ended.result).toContain("yes");
    expect(() => engine.completeCallback(callbackId, { result: "2" })).toThrow(/ended/);
  });

  test("a callback that nobody answers times out", async () => {
    const engine = engineFor(
      durable(async (_event, context) =>
        context.waitForCallback("approval", async () => undefined, { timeout: { seconds: 1 } }),
      ),
    );
    const ended = await engine.ended(engine.start(request("opn_6")).arn);
    expect(ended).toMatchObject({
      status: "FAILED",
      error: { ErrorType: expect.stringMatching(/Callback/) },
    });
  });

  test("a chained function's result comes back into the execution", async () => {
    const engine = engineFor(
      durable(async (event, context) => context.invoke("other", "arn:other:1", { n: event.n })),
      { chained: async (payload) => JSON.stringify({ got: JSON.parse(payload) as unknown }) },
    );
    const ended = await engine.ended(engine.start(request("opn_7")).arn);
    expect(JSON.parse(ended.result ?? "")).toEqual({ got: { n: 1 } });
  });

  test("an execution that is stopped or out of time ends without the function's word", async () => {
    const never = durable(async (_event, context) => context.wait("long", { seconds: 3600 }));
    const engine = engineFor(never);
    const stopped = engine.start(request("opn_8"));
    engine.stop(stopped.arn, { ErrorType: "Stopped" });
    expect(await engine.ended(stopped.arn)).toMatchObject({
      status: "STOPPED",
      error: { ErrorType: "Stopped" },
    });
    const late = engine.start(request("opn_9", {}, 1));
    expect(await engine.ended(late.arn)).toMatchObject({ status: "TIMED_OUT" });
  });

  test("a handler that throws fails the execution with its error", async () => {
    const engine = engineFor(
      durable(async () => {
        throw new Error("no room");
      }),
    );
    const ended = await engine.ended(engine.start(request("opn_10")).arn);
    expect(ended).toMatchObject({ status: "FAILED", error: { ErrorMessage: "no room" } });
  });
});
