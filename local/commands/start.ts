import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { synthesize } from "../../infra/build/synth.ts";
import { localInputs } from "../../infra/config/local.ts";
import type { Cluster } from "../../layers/domain/cluster/cluster.ts";
import { endedStates, type Operation, type OperationStep } from "../../layers/domain/operation/operation.ts";
import { ensureDynamoDbLocal } from "../endpoints/dynamodb/fetch.ts";
import { withLock } from "../environment/lock.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { addressesOf, type EnvironmentSettings, ensureSettings } from "../environment/settings.ts";
import { ensureNodeImage } from "../machines/image.ts";
import { ApiClient } from "./api-client.ts";
import { connectionString } from "./connection.ts";
import { askForRepair, launchControlPlane, runningControlPlane, stopControlPlane } from "./control-plane.ts";
import { print, progress, UserError } from "./terminal.ts";
import { ensureToken } from "./token.ts";

const repository = join(import.meta.dirname, "..", "..");
/** Another start may be building the node image; nobody wants two of them at it. */
const startLockTimeoutMs = 1_000;
const demoName = "demo";
/** A create takes some twenty seconds; several times that means that it hangs. */
const demoTimeoutMs = 300_000;
const pollMs = 250;

/** `npm start`: brings up what is down, changes nothing that is up. */
export async function start(paths: EnvironmentPaths, args: readonly string[]): Promise<void> {
  const unknown = args.filter((arg) => arg !== "--no-demo");
  if (unknown.length > 0)
    throw new UserError(`npm start takes --no-demo and nothing else, not ${unknown.join(" ")}`);
  await withLock(
    `start ${paths.state}`,
    { timeoutMs: startLockTimeoutMs, busy: `another npm start is at work on ${paths.state}` },
    async () => {
      const settings = await ensureSettings(paths);
      await bringUp(paths, settings);
      const api = new ApiClient(paths, settings);
      if (!args.includes("--no-demo")) await ensureDemo(api);
      await tellWhereThingsAre(paths, settings, api);
    },
  );
}

async function bringUp(paths: EnvironmentPaths, settings: EnvironmentSettings): Promise<void> {
  const stage = paths.stage;
  progress("building and synthesizing the stage local");
  const [synthesized, dynamoDbLibraries] = await Promise.all([
    synthesize({
      stage: "local",
      outDirectory: stage,
      variables: {
        [localInputs.vpcCidr]: settings.cidr,
        [localInputs.issuer]: addressesOf(settings).issuer,
      },
    }),
    ensureDynamoDbLocal({ cacheDirectory: paths.cache, onProgress: progress }),
  ]);
  const image = await ensureNodeImage({
    cacheDirectory: paths.cache,
    recipeDirectory: join(repository, "infra", "node-image"),
    loaderPath: synthesized.nodeLoader,
    onProgress: ({ percent, phase }) => progress(`node image ${String(percent).padStart(3)} %  ${phase}`),
  });
  await ensureToken(paths, settings);

  const pid = await runningControlPlane(paths);
  if (pid !== null && !synthesized.fresh) {
    progress("the control plane is up");
    askForRepair(pid);
    return;
  }
  if (pid !== null) {
    progress("the stage has changed: the control plane is started again, databases go on");
    await stopControlPlane(paths);
  }
  progress("starting the control plane");
  await launchControlPlane(
    paths,
    { imagePath: image.path, dynamoDbLibraries, stageDirectory: stage },
    progress,
  );
}

async function ensureDemo(api: ApiClient): Promise<void> {
  const clusters = await api.clusters();
  const demo = clusters.find((cluster) => cluster.name === demoName);
  if (demo === undefined && clusters.length > 0) return;
  if (demo !== undefined && demo.activeOperationId === null) return;
  const operationId =
    demo?.activeOperationId ??
    (await api.call<{ cluster: Cluster; operation: Operation }>("POST", "/v1/clusters", { name: demoName }))
      .operation.id;
  progress(`creating the cluster ${demoName} (operation ${operationId})`);
  const ended = await follow(api, operationId);
  if (ended.state !== "succeeded")
    throw new UserError(
      `the cluster ${demoName} could not be created: ${ended.error?.message ?? ended.state}`,
    );
}

/** Shows every step as it begins and ends, until the operation has ended. */
async function follow(api: ApiClient, operationId: string): Promise<Operation> {
  const shown = new Map<string, OperationStep["state"]>();
  const deadline = Date.now() + demoTimeoutMs;
  while (Date.now() < deadline) {
    const operation = await api.call<Operation>("GET", `/v1/operations/${operationId}`);
    for (const step of operation.steps) {
      if (step.state === "pending" || shown.get(step.name) === step.state) continue;
      shown.set(step.name, step.state);
      const percent = String(Math.round(operation.progress * 100)).padStart(3);
      progress(
        `${percent} %  ${step.name}: ${step.state}${step.detail === undefined ? "" : ` (${step.detail})`}`,
      );
    }
    if (endedStates.includes(operation.state)) return operation;
    await delay(pollMs);
  }
  throw new UserError(
    `operation ${operationId} has not ended after ${demoTimeoutMs / 1000} s: see npm run status`,
  );
}

async function tellWhereThingsAre(
  paths: EnvironmentPaths,
  settings: EnvironmentSettings,
  api: ApiClient,
): Promise<void> {
  const clusters = await api.clusters();
  const cluster = clusters.find(({ name }) => name === demoName);
  print("");
  if (cluster?.status === "available" || cluster?.status === "degraded") {
    print(`  psql '${await connectionString(paths, api, cluster, "client")}'`);
    print("");
  }
  print(`  API    ${addressesOf(settings).api}   (what it can do: ${addressesOf(settings).api}/docs)`);
  print(`  token  ${paths.token}`);
  print("  next   npm run psql · npm run status · npm run logs · npm run stop · npm run destroy");
}
