import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Api } from "./support/api.ts";
import { Database } from "./support/database.ts";
import { Environment } from "./support/environment.ts";
import { api, environment } from "./support/world.ts";

const run = promisify(execFile);

/** PostgreSQL recovers, and Patroni takes the leader's key, on a machine that is busy with others. */
const answersMs = 60_000;
/** Machines are there by then, and nothing on them is ready. */
const halfMadeMs = 2_500;

async function lines(file: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await run(file, args);
  return stdout.split("\n").filter((line) => line !== "");
}

/** What this machine has of an environment, seen by the kernel: everything that names its directory or its bridge. */
async function footprint(names: readonly string[]): Promise<Record<string, string[]>> {
  const ofIt = (texts: readonly string[]) =>
    texts.filter((text) => names.some((name) => text.includes(name)));
  const processes: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)))
    processes.push(
      (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")) +
        (await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")),
    );
  const found = {
    processes: ofIt(processes),
    mounts: ofIt((await readFile("/proc/mounts", "utf8")).split("\n")),
    namespaces: ofIt(await lines("ip", "netns", "list")),
    bridges: ofIt(await lines("ip", "-o", "link", "show")),
    loopDevices: ofIt(await lines("losetup", "-l", "-n", "-O", "BACK-FILE")),
    tables: ofIt(await lines("nft", "list", "tables")),
  };
  return Object.fromEntries(Object.entries(found).filter(([, items]) => items.length > 0));
}

/** The words by which everything of an environment is found. */
async function namesOf(other: Environment): Promise<string[]> {
  const settings = JSON.parse(await readFile(join(other.stateDirectory, "settings.json"), "utf8")) as {
    bridge: string;
  };
  return [other.stateDirectory, settings.bridge];
}

/** Machines mount in namespaces of their own; the mounts here hold the namespaces. */
const everyKind = ["processes", "mounts", "namespaces", "bridges", "loopDevices", "tables"];

const made: { environment: Environment; directory: string }[] = [];

afterAll(async () => {
  for (const { environment: other, directory } of made.splice(0)) {
    await other.npm("destroy");
    await rm(directory, { recursive: true, force: true });
  }
});

async function anotherEnvironment(): Promise<Environment> {
  const directory = await mkdtemp(join(tmpdir(), "pgherd-e2e-other-"));
  const other = new Environment(join(directory, "state"), environment.cacheDirectory);
  made.push({ environment: other, directory });
  await other.npm("start", "--no-demo");
  return other;
}

async function destroyLeavesNothing(other: Environment): Promise<void> {
  const names = await namesOf(other);
  await other.npm("destroy");
  expect(await footprint(names)).toEqual({});
  await expect(readdir(other.stateDirectory)).rejects.toThrow("ENOENT");
}

describe("beside this environment, another one", () => {
  let other: Environment;
  let cluster: Cluster;

  beforeAll(async () => {
    other = await anotherEnvironment();
    // Named as the cluster of this environment is: names are an environment's own.
    cluster = await new Api(other).createAvailable({ name: "demo", members: 1, storage: { sizeGiB: 1 } });
  });

  test("keeps its data while it is stopped, and has it when it is started", async () => {
    await using before = await Database.of(other, new Api(other), cluster.id);
    await before.sql("readWrite", "admin", "CREATE TABLE kept AS SELECT 42 AS answer");

    await other.npm("stop");
    await other.npm("start", "--no-demo");

    await using database = await Database.of(other, new Api(other), cluster.id);
    await expect
      .poll(() => database.sql("readWrite", "client", "SELECT answer FROM kept").catch(String), {
        timeout: answersMs,
      })
      .toBe("42");
  });

  test("is destroyed without a trace, and this one goes on", async () => {
    expect(Object.keys(await footprint(await namesOf(other)))).toEqual(everyKind);

    await destroyLeavesNothing(other);

    await using database = await Database.of(environment, api, (await api.demo()).id);
    expect(await database.sql("readWrite", "client", "SELECT 1")).toBe("1");
  });
});

test("destroy leaves nothing after a crash in the middle of a create", async () => {
  const other = await anotherEnvironment();
  await new Api(other).create({ name: "half-made", members: 3, storage: { sizeGiB: 1 } });
  await new Promise((resolve) => setTimeout(resolve, halfMadeMs));
  await other.killControlPlane();

  await destroyLeavesNothing(other);
});
