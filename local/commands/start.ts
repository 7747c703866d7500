import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { synthesize } from "../../infra/build/synth.ts";
import { localInputs } from "../../infra/config/local.ts";
import { ensureDynamoDbLocal } from "../endpoints/dynamodb/fetch.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { addressesOf, type EnvironmentSettings, ensureSettings } from "../environment/settings.ts";
import { ensureNodeImage } from "../machines/image.ts";
import type { BuildProgress } from "../machines/image-build.ts";
import { ApiClient } from "./api-client.ts";
import { awaitConnections } from "./connection.ts";
import {
  askForRepair,
  launchControlPlane,
  readServing,
  runningControlPlane,
  stopControlPlane,
} from "./control-plane.ts";
import { demoCluster, ensureDemo } from "./demo.ts";
import { exclusively } from "./exclusive.ts";
import { print, progress, UserError } from "./terminal.ts";
import { ensureToken } from "./token.ts";

const percentPerLine = 5;
const repository = join(import.meta.dirname, "..", "..");

/** `npm start`: brings up what is down, changes nothing that is up. */
export async function start(paths: EnvironmentPaths, args: readonly string[]): Promise<void> {
  const unknown = args.filter((arg) => arg !== "--no-demo");
  if (unknown.length > 0)
    throw new UserError(`npm start takes --no-demo and nothing else, not ${unknown.join(" ")}`);
  await exclusively(paths, async () => {
    const settings = await ensureSettings(paths);
    await bringUp(paths, settings);
    const api = new ApiClient(paths, settings);
    if (!args.includes("--no-demo")) await bringUpDemo(paths, api);
    tellWhereThingsAre(paths, settings);
  });
}

async function bringUp(paths: EnvironmentPaths, settings: EnvironmentSettings): Promise<void> {
  const [prepared] = await Promise.all([prepare(paths, settings), ensureToken(paths, settings)]);
  const version = await versionOf(paths, prepared);
  const pid = await runningControlPlane(paths, settings);
  if (pid !== null && (await readServing(paths)) === version) {
    progress("the control plane is up");
    askForRepair(pid);
    return;
  }
  if (pid !== null) progress("pgherd has changed: the control plane is started again, databases go on");
  await stopControlPlane(paths, settings);
  progress("starting the control plane");
  await launchControlPlane(paths, prepared, version, progress);
}

/** What the control plane needs: the synthesized stage, the node image, DynamoDB Local. */
async function prepare(
  paths: EnvironmentPaths,
  settings: EnvironmentSettings,
): Promise<{ imagePath: string; dynamoDbLibraries: string; stageDirectory: string }> {
  progress("building and synthesizing the stage local");
  const [imagePath, dynamoDbLibraries] = await Promise.all([
    prepareImage(paths, settings),
    ensureDynamoDbLocal({ cacheDirectory: paths.cache, onProgress: progress }),
  ]);
  return { imagePath, dynamoDbLibraries, stageDirectory: paths.stage };
}

async function prepareImage(paths: EnvironmentPaths, settings: EnvironmentSettings): Promise<string> {
  const { nodeLoader } = await synthesize({
    stage: "local",
    outDirectory: paths.stage,
    variables: {
      [localInputs.vpcCidr]: settings.cidr,
      [localInputs.issuer]: addressesOf(settings).issuer,
    },
  });
  const image = await ensureNodeImage({
    cacheDirectory: paths.cache,
    recipeDirectory: join(repository, "infra", "node-image"),
    loaderPath: nodeLoader,
    onProgress: inSteps(({ percent, phase }) =>
      progress(`node image ${String(percent).padStart(3)} %  ${phase}`),
    ),
  });
  return image.path;
}

/** A line for every phase and every few percent of it: enough to see that it moves. */
function inSteps(report: (progress: BuildProgress) => void): (progress: BuildProgress) => void {
  let last: BuildProgress | null = null;
  return (next) => {
    if (last?.phase === next.phase && next.percent < last.percent + percentPerLine) return;
    last = next;
    report(next);
  };
}

/** Everything that a control plane follows from: when it is another one, the one that serves has to be replaced. */
async function versionOf(paths: EnvironmentPaths, prepared: Record<string, string>): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([process.version, prepared]));
  hash.update(await readFile(join(paths.stage, "key")));
  const local = join(repository, "local");
  const entries = await readdir(local, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) hash.update(`\0${file}\0`).update(await readFile(file));
  return hash.digest("hex");
}

async function bringUpDemo(paths: EnvironmentPaths, api: ApiClient): Promise<void> {
  await ensureDemo(api);
  const demo = demoCluster(await api.clusters());
  if (demo === undefined) return;
  const uri = await awaitConnections(paths, api, demo);
  print(`\n  psql '${uri}'`);
}

function tellWhereThingsAre(paths: EnvironmentPaths, settings: EnvironmentSettings): void {
  print("");
  print(`  API    ${addressesOf(settings).api}   (what it can do: ${addressesOf(settings).api}/docs)`);
  print(`  token  ${paths.token}`);
  print("  next   npm run psql · npm run status · npm run logs · npm run stop · npm run destroy");
}
