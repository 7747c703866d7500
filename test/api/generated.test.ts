import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensurePythonPackages } from "../world/python-program.ts";
import { letAnswer } from "./support/healthy.ts";
import { bearer, serve } from "./support/serve.ts";
import { type World, Worlds } from "./support/world.ts";

/** The first run installs schemathesis; its calls take half a minute where nothing else runs. */
const generatedTimeoutMs = 15 * 60 * 1000;
const callsTimeoutMs = 10 * 60 * 1000;
/** Beside what it derives from the document by itself. */
const examplesPerOperation = 5;
const casesMin = 1_000;

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await Worlds.start();
  world = await worlds.make();
});
afterAll(() => worlds[Symbol.asyncDispose]());

/** Ids that exist, so that generated calls get further than to a 404. */
async function idsThatExist(): Promise<Readonly<Record<string, readonly string[]>>> {
  const cluster = await world.makeAvailable("orders");
  letAnswer(world.nodes, cluster);
  const backup = await world.makeBackup(cluster.id);
  const deleted = await world.makeAvailable("before");
  await world.deleteCluster(deleted);
  return {
    "path.clusterId": [cluster.id, deleted.id],
    "path.nodeId": cluster.nodes.map(({ id }) => id),
    "path.backupId": [backup.id],
    "path.operationId": [backup.operationId],
  };
}

/** Half of the calls name what exists. */
function configurationOf(ids: Readonly<Record<string, readonly string[]>>): string {
  const names = Object.entries(ids).map(([parameter, values]) => ({
    parameter,
    dictionary: parameter.replace(".", "-"),
    values,
  }));
  return [
    "warnings = false",
    `headers = { Authorization = ${JSON.stringify(bearer)} }`,
    "[generation]",
    `max-examples = ${examplesPerOperation}`,
    "deterministic = true",
    'database = "none"',
    "[phases.stateful]",
    "enabled = false",
    "[checks]",
    // Which valid calls are refused depends on what exists and runs, of which the document knows nothing.
    "positive_data_acceptance.enabled = false",
    ...names.flatMap(({ dictionary, values }) => [
      `[dictionaries.${dictionary}]`,
      `values = ${JSON.stringify(values)}`,
    ]),
    "[parameters]",
    ...names.map(
      ({ parameter, dictionary }) => `"${parameter}" = { dictionary = "${dictionary}", probability = 0.5 }`,
    ),
    "",
  ].join("\n");
}

/** What schemathesis says, and how it ended. */
async function callGenerated(
  url: string,
): Promise<{ readonly said: string; readonly outcome: number | string | null }> {
  const programs = await ensurePythonPackages({
    name: "schemathesis",
    requirements: join(import.meta.dirname, "support/schemathesis-requirements.txt"),
  });
  const directory = await mkdtemp(join(tmpdir(), "pgherd-schemathesis-"));
  const configuration = join(directory, "schemathesis.toml");
  await writeFile(configuration, configurationOf(await idsThatExist()));
  const options = ["--no-color", "--config-file", configuration, "run", `${url}/openapi.json`];
  try {
    const child = spawn(join(programs, "python"), [join(programs, "schemathesis"), ...options], {
      cwd: directory,
      stdio: ["ignore", "pipe", "inherit"],
      timeout: callsTimeoutMs,
    });
    const ended = new Promise<number | string | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? signal));
    });
    const [said, outcome] = await Promise.all([text(child.stdout), ended]);
    return { said, outcome };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test(
  "a thousand generated calls, valid and not, get no answer that the document does not describe, and no 5xx",
  async () => {
    await using served = await serve(world);
    const { said, outcome } = await callGenerated(served.url);
    expect(served.defects).toEqual([]);
    expect(outcome, said).toBe(0);
    const statuses = [...served.answers.keys()].toSorted();
    expect(statuses.filter((status) => status >= 500)).toEqual([]);
    // It gets through to all kinds of answers, and not only to refusals.
    expect(statuses).toEqual(expect.arrayContaining([200, 202, 400, 401, 404, 405, 409]));
    const calls = [...served.answers.values()].reduce((sum, count) => sum + count, 0);
    expect(calls).toBeGreaterThanOrEqual(casesMin);
  },
  generatedTimeoutMs,
);
