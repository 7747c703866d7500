import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  DeleteFunctionCommand,
  GetDurableExecutionCommand,
  InvokeCommand,
  LambdaClient,
  ListAliasesCommand,
  ListDurableExecutionsByFunctionCommand,
  ListVersionsByFunctionCommand,
  StopDurableExecutionCommand,
} from "@aws-sdk/client-lambda";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseTrace, type Trace } from "../../../layers/domain/trace.ts";
import { Identities } from "../../../local/endpoints/identities.ts";
import { LambdaService } from "../../../local/lambda/service.ts";
import { secondsOfRate, Timers } from "../../../local/lambda/timers.ts";
import { Traces } from "../../../local/lambda/traces.ts";
import { Documents } from "../../../local/state/documents.ts";
import { LogFile } from "../../../local/state/log-file.ts";
import { account, region, startEndpoints } from "./support/endpoints.ts";
import { makeAssets, nodeBinary, repository } from "./support/functions.ts";

const sources = {
  echo: `
    import { word } from "@pgherd/layers/domain";
    import { writeFileSync } from "node:fs";
    export const handler = async (event, context) => {
      if (event.do === "throw") throw new TypeError("on purpose");
      if (event.do === "exit") process.exit(7);
      if (event.do === "hang") await new Promise(() => {});
      if (event.do === "sleep") await new Promise((done) => setTimeout(done, event.ms));
      if (event.do === "touch") writeFileSync(event.path, "done");
      if (event.do === "env") return { ...process.env };
      console.log("handled", event.do);
      return { event, word, pid: process.pid, arn: context.invokedFunctionArn, left: context.getRemainingTimeInMillis() };
    };`,
  lost: `import pad from "left-pad"; export const handler = async () => pad;`,
  saga: `
    import { withDurableExecution } from "@aws/durable-execution-sdk-js";
    import { appendFileSync } from "node:fs";
    export const handler = withDurableExecution(async (event, context) => {
      const first = await context.step("first", async () => { appendFileSync(event.trace, "first "); return 1; });
      await context.step("crash", async () => {
        appendFileSync(event.trace, "crash ");
        const { existsSync, writeFileSync } = await import("node:fs");
        if (event.crash && !existsSync(event.crash)) { writeFileSync(event.crash, ""); process.exit(1); }
        if (event.hold) await new Promise((done) => setTimeout(done, 3600_000));
      });
      const all = await context.parallel("both", [
        async (branch) => branch.step("left", async () => first + 1),
        async (branch) => branch.step("right", async () => first + 2),
      ]);
      await context.wait("pause", { seconds: 1 });
      return { results: all.getResults() };
    });`,
};

let assets: Awaited<ReturnType<typeof makeAssets>>;
let traces: Traces;
let traceLog: LogFile;
let documents: Documents;
let service: LambdaService;
let endpoints: Awaited<ReturnType<typeof startEndpoints>>;
let lambda: LambdaClient;
let endpointUrl = "";

function makeService(): LambdaService {
  return new LambdaService({
    documents,
    identities: new Identities({ key: Buffer.alloc(32, 7), account }),
    region,
    account,
    node: nodeBinary,
    runtimeModules: repository,
    logDirectory: join(assets.directory, "logs"),
    endpointEnvironment: () => ({ AWS_ENDPOINT_URL: endpointUrl }),
    traces,
  });
}

beforeAll(async () => {
  assets = await makeAssets(sources);
  traceLog = new LogFile(join(assets.directory, "traces.jsonl"));
  traces = await Traces.open(traceLog);
});
afterAll(async () => {
  traces.close();
  await traceLog.flush();
  await rm(assets.directory, { recursive: true });
});

beforeEach(async () => {
  documents = new Documents(":memory:");
  service = makeService();
  // The service behind the server is replaced by a test that kills it.
  endpoints = await startEndpoints([
    { name: "lambda", call: (action, input, caller) => service.call(action, input, caller) },
  ]);
  endpointUrl = endpoints.endpoint;
  lambda = new LambdaClient(endpoints.operator);
});
afterEach(async () => {
  lambda.destroy();
  await service.close();
  await endpoints.close();
  documents.close();
});

async function invoke(name: string, event: unknown) {
  const answer = await lambda.send(
    new InvokeCommand({ FunctionName: name, Payload: Buffer.from(JSON.stringify(event)) }),
  );
  return {
    ...answer,
    value: JSON.parse(Buffer.from(answer.Payload ?? []).toString("utf8") || "null") as Record<
      string,
      unknown
    >,
  };
}

describe("functions", () => {
  test("a function runs in its own process with its layer, and the process is used again", async () => {
    service.createFunction(assets.configurationOf("echo"));
    const first = await invoke("echo", { n: 1 });
    expect(first.value).toMatchObject({
      event: { n: 1 },
      word: "from the layer",
      arn: `arn:aws:lambda:${region}:${account}:function:echo`,
    });
    expect(first.value["pid"]).not.toBe(process.pid);
    expect((await invoke("echo", {})).value["pid"]).toBe(first.value["pid"]);
  });

  test("a process has Lambda's environment and nothing of ours", async () => {
    process.env["PGHERD_SHOULD_NOT_LEAK"] = "1";
    service.createFunction(assets.configurationOf("echo"));
    const { value } = await invoke("echo", { do: "env" });
    delete process.env["PGHERD_SHOULD_NOT_LEAK"];
    expect(value).toMatchObject({
      GREETING: "hello",
      AWS_LAMBDA_FUNCTION_NAME: "echo",
      AWS_REGION: region,
      AWS_ENDPOINT_URL: endpoints.endpoint,
    });
    expect(value["AWS_SESSION_TOKEN"]).toBeTruthy();
    expect(Object.keys(value).filter((name) => name.startsWith("PGHERD"))).toEqual([]);
  });

  test("an invocation is a segment of its caller's trace, and knows it; without a caller it begins one", async () => {
    service.createFunction(assets.configurationOf("echo"));
    const id = "1-67891233-abcdef012345678912345678";
    const payload = JSON.stringify({ do: "env" });

    const traced = await service.invoke({
      reference: "echo",
      payload,
      trace: `Root=${id};Parent=53995c3f42cd8ad8`,
    });
    const untraced = await service.invoke({ reference: "echo", payload });

    const traceOf = (answer: { payload: string | null }): Trace | null =>
      parseTrace(JSON.parse(answer.payload ?? "{}")._X_AMZN_TRACE_ID);
    expect(traceOf(traced)).toMatchObject({ id, isSampled: true });
    expect(traceOf(untraced)?.id).toMatch(/^1-/);
    await traceLog.flush();
    const segments = readFileSync(join(assets.directory, "traces.jsonl"), "utf8").trim().split("\n");
    expect(segments.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({
        name: "echo",
        trace_id: id,
        parent_id: "53995c3f42cd8ad8",
        id: traceOf(traced)?.segmentId,
      }),
    );
  });

  test("what a function throws is its answer, and its process lives on", async () => {
    service.createFunction(assets.configurationOf("echo"));
    const failed = await invoke("echo", { do: "throw" });
    expect(failed.FunctionError).toBe("Unhandled");
    expect(failed.value).toMatchObject({ errorType: "TypeError", errorMessage: "on purpose" });
    expect((await invoke("echo", { n: 2 })).value).toMatchObject({ event: { n: 2 } });
  });

  test("a process that exits or runs too long fails its invocation and is replaced", async () => {
    service.createFunction(assets.configurationOf("echo", { timeoutSeconds: 1 }));
    expect((await invoke("echo", { do: "exit" })).value).toMatchObject({ errorType: "Runtime.ExitError" });
    expect((await invoke("echo", { do: "hang" })).value).toMatchObject({ errorType: "Sandbox.Timedout" });
    expect((await invoke("echo", { n: 3 })).value).toMatchObject({ event: { n: 3 } });
  });

  test("a package that neither the function nor its layers hold is missing, as on Lambda", async () => {
    service.createFunction(assets.configurationOf("lost"));
    const answer = await invoke("lost", {});
    expect(answer.value["errorMessage"]).toMatch(/Cannot find package 'left-pad'/);
  });

  test("no more invocations run at once than the function's concurrency", async () => {
    service.createFunction(assets.configurationOf("echo"));
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => invoke("echo", { do: "sleep", ms: 20 })),
    );
    expect(new Set(answers.map((answer) => answer.value["pid"])).size).toBe(2);
  });

  test("a version keeps its code and environment while the function changes", async () => {
    service.createFunction(assets.configurationOf("echo"));
    const version = service.publishVersion("echo");
    service.createAlias("echo", "live", version);
    service.createFunction(assets.configurationOf("echo", { environment: { GREETING: "bye" } }));
    expect((await invoke("echo:live", { do: "env" })).value["GREETING"]).toBe("hello");
    expect((await invoke("echo", { do: "env" })).value["GREETING"]).toBe("bye");
    expect(service.publishVersion("echo")).toBe("2");
    expect(service.publishVersion("echo")).toBe("2");
  });

  describe("their versions", () => {
    /** Each of other code than the one before; all of one layer. */
    async function publish(count: number): Promise<void> {
      for (let number = 1; number <= count; number++) {
        const codeDirectory = join(assets.directory, `echo-${number}`);
        await cp(join(assets.directory, "echo"), codeDirectory, { recursive: true });
        service.createFunction(assets.configurationOf("echo", { codeDirectory }));
        service.publishVersion("echo");
      }
    }

    const list = (more: { Marker?: string; MaxItems?: number } = {}) =>
      lambda.send(new ListVersionsByFunctionCommand({ FunctionName: "echo", ...more }));
    const remove = (Qualifier: string) =>
      lambda.send(new DeleteFunctionCommand({ FunctionName: "echo", Qualifier }));
    const names = ({ Versions = [] }: { Versions?: { Version?: string | undefined }[] | undefined }) =>
      Versions.map(({ Version }) => Version);

    test("are listed in pages of fifty at most, with when each was published", async () => {
      await publish(52);
      const first = await list({ MaxItems: 1000 });
      expect(first.Versions).toHaveLength(50);
      expect(names(first).slice(0, 3)).toEqual(["$LATEST", "1", "2"]);
      const publishedMs = Date.parse(first.Versions?.at(-1)?.LastModified ?? "");
      expect(Math.abs(Date.now() - publishedMs)).toBeLessThan(60_000);
      const second = await list({ Marker: first.NextMarker ?? "" });
      expect(names(second)).toEqual(["50", "51", "52"]);
      expect(second.NextMarker).toBeUndefined();
      expect(names(await list({ MaxItems: 2 }))).toEqual(["$LATEST", "1"]);
    });

    test("are listed by the aliases that lead to them", async () => {
      await publish(2);
      service.createAlias("echo", "live", "2");
      const { Aliases } = await lambda.send(new ListAliasesCommand({ FunctionName: "echo" }));
      const AliasArn = `arn:aws:lambda:${region}:${account}:function:echo:live`;
      expect(Aliases).toEqual([{ AliasArn, Name: "live", FunctionVersion: "2" }]);
    });

    test("are deleted one at a time with the code that no other one has; a number is not used again", async () => {
      await publish(3);
      service.createAlias("echo", "live", "1");
      const { layerDirectories } = assets.configurationOf("echo");
      await remove("2");
      expect(names(await list())).toEqual(["$LATEST", "1", "3"]);
      await remove("3");
      expect(names(await list())).toEqual(["$LATEST", "1"]);
      const there = [1, 2, 3].map((number) => existsSync(join(assets.directory, `echo-${number}`)));
      // The function itself is made of the third one's.
      expect(there).toEqual([true, false, true]);
      expect(layerDirectories.map((directory) => existsSync(directory))).toEqual([true]);
      expect((await invoke("echo:live", { n: 1 })).value).toMatchObject({ event: { n: 1 } });
      expect((await invoke("echo", { n: 2 })).value).toMatchObject({ event: { n: 2 } });
      expect(service.publishVersion("echo")).toBe("4");
    });

    test("are deleted although they are gone, and not where Lambda keeps them", async () => {
      await publish(2);
      service.createAlias("echo", "live", "1");
      await remove("2");
      await remove("2");
      await expect(remove("1")).rejects.toMatchObject({
        name: "ResourceConflictException",
        message: expect.stringContaining("[live]"),
      });
      for (const kept of ["$LATEST", "live"]) {
        await expect(remove(kept)).rejects.toMatchObject({ name: "InvalidParameterValueException" });
      }
      await expect(lambda.send(new DeleteFunctionCommand({ FunctionName: "echo" }))).rejects.toThrow();
      expect(names(await list())).toEqual(["$LATEST", "1"]);
    });
  });

  test("an event is delivered after the caller has its answer, also by the next control plane", async () => {
    const path = join(assets.directory, "touched");
    service.createFunction(assets.configurationOf("echo"));
    const answer = await lambda.send(
      new InvokeCommand({
        FunctionName: "echo",
        InvocationType: "Event",
        Payload: Buffer.from(JSON.stringify({ do: "touch", path })),
      }),
    );
    expect(answer.StatusCode).toBe(202);
    await service.close();
    service = makeService();
    service.recover();
    await expect.poll(() => existsSync(path), { timeout: 5_000 }).toBe(true);
  });

  test("what a function prints is in its log file", async () => {
    service.createFunction(assets.configurationOf("echo"));
    await invoke("echo", { do: "print" });
    await expect
      .poll(() => readFileSync(join(assets.directory, "logs/echo.log"), "utf8"))
      .toContain("handled print");
  });

  test("a function that does not exist and a payload that is not JSON are refused", async () => {
    await expect(invoke("none", {})).rejects.toMatchObject({ name: "ResourceNotFoundException" });
    service.createFunction(assets.configurationOf("echo"));
    const broken = new InvokeCommand({ FunctionName: "echo", Payload: Buffer.from("{") });
    await expect(lambda.send(broken)).rejects.toMatchObject({ name: "InvalidRequestContentException" });
  });
});

test("a function's process ends when its control plane is killed", async () => {
  const entry = join(import.meta.dirname, "support/host-process.ts");
  const configuration = JSON.stringify(assets.configurationOf("echo"));
  const host = spawn(process.execPath, [entry, configuration, join(assets.directory, "logs")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(host.stdout, "data")) as [Buffer];
  const { pid } = JSON.parse(line.toString("utf8")) as { pid: number };
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  host.kill("SIGKILL");
  await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 5_000 }).toBe(false);
});

test("a rule's rate is read in seconds, and its function is called by it", async () => {
  expect([secondsOfRate("rate(1 minute)"), secondsOfRate("rate(2 hours)")]).toEqual([60, 7200]);
  expect(() => secondsOfRate("cron(0 2 * * ? *)")).toThrow(/rate/);
  const called: string[] = [];
  const timers = new Timers({ invoke: async (target) => called.push(target), onError: () => undefined });
  timers.put({ name: "often", everySeconds: 0.01, target: "echo" });
  await expect.poll(() => called.length).toBeGreaterThan(1);
  timers.close();
});

describe("durable functions over the wire", () => {
  let trace = "";
  let arn = "";

  beforeEach(() => {
    trace = join(assets.directory, `trace-${Math.random()}`);
    service.createFunction(
      assets.configurationOf("saga", { durable: { executionTimeoutSeconds: 60, retentionDays: 1 } }),
    );
    arn = service.createAlias("saga", "live", service.publishVersion("saga"));
  });

  async function start(name: string, event: Record<string, unknown>) {
    return lambda.send(
      new InvokeCommand({
        FunctionName: arn,
        InvocationType: "Event",
        DurableExecutionName: name,
        Payload: Buffer.from(JSON.stringify({ trace, ...event })),
      }),
    );
  }

  test("an execution runs to its result, with the process killed in the middle of a step", async () => {
    const started = await start("opn_1", { crash: `${trace}.crashed` });
    expect(started.StatusCode).toBe(202);
    const executionArn = started.DurableExecutionArn ?? "";
    await service.durable.ended(executionArn);
    const execution = await lambda.send(
      new GetDurableExecutionCommand({ DurableExecutionArn: executionArn }),
    );
    expect(execution).toMatchObject({ Status: "SUCCEEDED", DurableExecutionName: "opn_1" });
    expect(JSON.parse(execution.Result ?? "")).toEqual({ results: [2, 3] });
    expect(readFileSync(trace, "utf8")).toBe("first crash crash ");
  });

  test("an execution goes on in the next control plane where its last checkpoint was", async () => {
    const started = await start("opn_2", { hold: true });
    await expect
      .poll(() => existsSync(trace) && readFileSync(trace, "utf8"), { timeout: 5_000 })
      .toBe("first crash ");
    await service.close();
    service = makeService();
    service.recover();
    await expect.poll(() => readFileSync(trace, "utf8"), { timeout: 5_000 }).toBe("first crash crash ");
    const executionArn = started.DurableExecutionArn ?? "";
    await lambda.send(new StopDurableExecutionCommand({ DurableExecutionArn: executionArn }));
    const list = await lambda.send(
      new ListDurableExecutionsByFunctionCommand({ FunctionName: "saga", Statuses: ["STOPPED"] }),
    );
    expect(list.DurableExecutions?.map((item) => item.DurableExecutionArn)).toEqual([executionArn]);
    const another = service.createFunction(
      assets.configurationOf("saga", { durable: { executionTimeoutSeconds: 61, retentionDays: 1 } }),
    );
    const of = async (Qualifier: string) => {
      const question = { FunctionName: another, Qualifier };
      const answer = await lambda.send(new ListDurableExecutionsByFunctionCommand(question));
      return answer.DurableExecutions?.length;
    };
    expect([await of("1"), await of(service.publishVersion("saga"))]).toEqual([1, 0]);
  });

  test("a durable function is refused without version or alias, and by another payload of the same name", async () => {
    const unqualified = new InvokeCommand({ FunctionName: "saga", Payload: Buffer.from("{}") });
    await expect(lambda.send(unqualified)).rejects.toMatchObject({ name: "InvalidParameterValueException" });
    const first = await start("opn_3", {});
    expect((await start("opn_3", {})).DurableExecutionArn).toBe(first.DurableExecutionArn);
    await expect(start("opn_3", { other: 1 })).rejects.toMatchObject({
      name: "DurableExecutionAlreadyStartedException",
    });
    await service.durable.ended(first.DurableExecutionArn ?? "");
  });

  test("a caller that waits gets the execution's result", async () => {
    const answer = await lambda.send(
      new InvokeCommand({ FunctionName: arn, Payload: Buffer.from(JSON.stringify({ trace })) }),
    );
    expect(JSON.parse(Buffer.from(answer.Payload ?? []).toString("utf8"))).toEqual({ results: [2, 3] });
  });

  test("a checkpoint whose answer is lost is answered again and done once", async () => {
    endpoints.faults.add({
      service: "lambda",
      action: "CheckpointDurableExecution",
      nth: 2,
      effect: { kind: "drop-answer" },
    });
    const started = await start("opn_4", {});
    const ended = await service.durable.ended(started.DurableExecutionArn ?? "");
    expect(ended.status).toBe("SUCCEEDED");
    expect(endpoints.faults.list()[0]?.hits).toBe(1);
    expect(readFileSync(trace, "utf8")).toBe("first crash ");
  });
});
