import { existsSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  InvokeCommand,
  LambdaClient,
  ListVersionsByFunctionCommand,
  StopDurableExecutionCommand,
} from "@aws-sdk/client-lambda";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type RetiredVersionsWorld,
  removeRetiredVersions,
} from "../../functions/reconcilers/retired-versions/reconcile.ts";
import { LambdaVersions } from "../../layers/aws/versions.ts";
import type { OperationKind } from "../../layers/domain/index.ts";
import { LambdaService } from "../../local/lambda/service.ts";
import { Traces } from "../../local/lambda/traces.ts";
import { Documents } from "../../local/state/documents.ts";
import { LogFile } from "../../local/state/log-file.ts";
import { account, region, startEndpoints } from "../unit/local/support/endpoints.ts";
import { makeAssets, nodeBinary, repository } from "../unit/local/support/functions.ts";
import { paperSettings } from "../world/settings.ts";
import { log, minuteMs } from "./support/seen-clusters.ts";

/** Of what was begun on a version, nothing runs any more so long after another one took its place. */
const nightMs = 12 * 60 * minuteMs;
const durable = { executionTimeoutSeconds: 3600, retentionDays: 1 };
const kinds: readonly OperationKind[] = ["create-cluster", "delete-cluster"];
const aliasOf = (kind: OperationKind): string =>
  `arn:aws:lambda:${region}:${account}:function:pgherd-test-${kind}:live`;
const settings = {
  ...paperSettings,
  workflows: Object.fromEntries(kinds.map((kind) => [kind, aliasOf(kind)])),
};

let assets: Awaited<ReturnType<typeof makeAssets>>;
let traces: Traces;
let traceLog: LogFile;
let documents: Documents;
let service: LambdaService;
let endpoints: Awaited<ReturnType<typeof startEndpoints>>;
let lambda: LambdaClient;

beforeAll(async () => {
  assets = await makeAssets({ endless: "export const handler = () => new Promise(() => {});" });
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
  endpoints = await startEndpoints([
    { name: "lambda", call: (action, input, caller) => service.call(action, input, caller) },
  ]);
  service = new LambdaService({
    documents,
    identities: endpoints.identities,
    region,
    account,
    node: nodeBinary,
    runtimeModules: repository,
    logDirectory: join(assets.directory, "logs"),
    endpointEnvironment: () => ({}),
    traces,
  });
  lambda = new LambdaClient(endpoints.operator);
});
afterEach(async () => {
  lambda.destroy();
  await service.close();
  await endpoints.close();
  documents.close();
});

const codeOf = (kind: OperationKind, version: number): string => join(assets.directory, `${kind}-${version}`);

/** As deployments do it, one after the other. */
async function deploy(kind: OperationKind, from: number, to: number): Promise<void> {
  for (let version = from; version <= to; version++) {
    const codeDirectory = codeOf(kind, version);
    await cp(join(assets.directory, "endless"), codeDirectory, { recursive: true });
    const functionName = `pgherd-test-${kind}`;
    service.createFunction(assets.configurationOf("endless", { functionName, codeDirectory, durable }));
    service.createAlias(functionName, "live", service.publishVersion(functionName));
  }
}

async function begin(kind: OperationKind, name: string): Promise<string> {
  const answer = await lambda.send(
    new InvokeCommand({ FunctionName: aliasOf(kind), InvocationType: "Event", DurableExecutionName: name }),
  );
  return answer.DurableExecutionArn ?? "";
}

async function versionsOf(kind: OperationKind): Promise<(string | undefined)[]> {
  const { Versions = [] } = await lambda.send(
    new ListVersionsByFunctionCommand({ FunctionName: `pgherd-test-${kind}` }),
  );
  return Versions.map(({ Version }) => Version);
}

const open = (): LambdaVersions => new LambdaVersions(settings, endpoints.operator);

/** Of those that are deployed, and once a night has passed, where nothing else is said. */
const sweep = (more: Partial<RetiredVersionsWorld> = {}): Promise<void> =>
  removeRetiredVersions({
    kinds: ["create-cluster"],
    versions: open(),
    now: () => new Date(Date.now() + nightMs),
    log,
    ...more,
  });

describe("versions that deployments left behind", () => {
  test("are removed with their code once a night has passed, but for three that can be gone back to", async () => {
    await deploy("create-cluster", 1, 6);
    await deploy("delete-cluster", 1, 2);

    await sweep({ kinds, now: () => new Date(Date.now() + nightMs - minuteMs) });
    expect(await versionsOf("create-cluster")).toEqual(["$LATEST", "1", "2", "3", "4", "5", "6"]);

    await sweep({ kinds });
    expect(await versionsOf("create-cluster")).toEqual(["$LATEST", "3", "4", "5", "6"]);
    expect(await versionsOf("delete-cluster")).toEqual(["$LATEST", "1", "2"]);
    const there = [1, 2, 3, 4, 5, 6].map((version) => existsSync(codeOf("create-cluster", version)));
    expect(there).toEqual([false, false, true, true, true, true]);
  });

  test("stay while an execution runs on them", async () => {
    await deploy("create-cluster", 1, 1);
    const execution = await begin("create-cluster", "opn_1");
    await deploy("create-cluster", 2, 6);

    await sweep();
    expect(await versionsOf("create-cluster")).toEqual(["$LATEST", "1", "3", "4", "5", "6"]);
    expect(existsSync(codeOf("create-cluster", 1))).toBe(true);

    await lambda.send(new StopDurableExecutionCommand({ DurableExecutionArn: execution }));
    await sweep();
    expect(await versionsOf("create-cluster")).toEqual(["$LATEST", "3", "4", "5", "6"]);
  });

  test("stay when an alias leads to them between the look and the removal, and the others go", async () => {
    await deploy("create-cluster", 1, 6);
    const versions = open();
    const running = versions.running;
    versions.running = async (kind) => {
      service.createAlias("pgherd-test-create-cluster", "rescue", "1");
      return running(kind);
    };
    await sweep({ versions });
    expect(await versionsOf("create-cluster")).toEqual(["$LATEST", "1", "3", "4", "5", "6"]);
  });

  test("go in the next sweep where one does not have the time for all", async () => {
    await deploy("create-cluster", 1, 6);
    const versions = open();
    let lateMs = nightMs;
    const remove = versions.remove;
    versions.remove = async (kind, version) => {
      lateMs += minuteMs;
      return remove(kind, version);
    };
    const now = () => new Date(Date.now() + lateMs);
    await sweep({ versions, now });
    expect(await versionsOf("create-cluster")).toEqual(["$LATEST", "2", "3", "4", "5", "6"]);
    await sweep({ versions, now });
    expect(await versionsOf("create-cluster")).toEqual(["$LATEST", "3", "4", "5", "6"]);
  });

  test("of one function go although another one cannot be looked through, and the sweep says which", async () => {
    await deploy("create-cluster", 1, 6);
    await deploy("delete-cluster", 1, 6);
    endpoints.faults.add({
      service: "lambda",
      action: "ListAliases",
      effect: { kind: "error", code: "AccessDeniedException" },
    });
    await expect(sweep({ kinds })).rejects.toThrow("create-cluster");
    expect(await versionsOf("create-cluster")).toHaveLength(7);
    expect(await versionsOf("delete-cluster")).toEqual(["$LATEST", "3", "4", "5", "6"]);
  });

  test("stay where nobody can say which version is live", async () => {
    await deploy("create-cluster", 1, 6);
    const others = {
      ...settings,
      workflows: { "create-cluster": aliasOf("create-cluster").replace("live", "x") },
    };
    const versions = new LambdaVersions(others, endpoints.operator);
    await sweep({ versions });
    expect(await versionsOf("create-cluster")).toHaveLength(7);
  });
});
