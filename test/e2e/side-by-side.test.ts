import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { Api } from "./support/api.ts";
import { Database } from "./support/database.ts";
import { Environment } from "./support/environment.ts";
import { api, environment } from "./support/world.ts";

const run = promisify(execFile);

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

afterEach(async () => {
  for (const { environment: other, directory } of made.splice(0)) {
    await other.npm("destroy");
    await rm(directory, { recursive: true, force: true });
  }
});

async function anotherEnvironment(): Promise<Environment> {
  const directory = await mkdtemp(join(tmpdir(), "pgherd-e2e-other-"));
  const other = new Environment(join(directory, "state"), environment.cacheDirectory);
  made.push({ environment: other, directory });
  return other;
}

test("two environments run at once without touching each other, and destroying one leaves nothing of it", async () => {
  const other = await anotherEnvironment();
  await other.npm("start", "--no-demo");
  const otherApi = new Api(other);
  await otherApi.createAvailable({ name: "demo", members: 1, storage: { sizeGiB: 1 } });
  const names = await namesOf(other);
  expect(Object.keys(await footprint(names))).toEqual(everyKind);

  await other.npm("destroy");

  expect(await footprint(names)).toEqual({});
  await expect(readdir(other.stateDirectory)).rejects.toThrow("ENOENT");
  await using database = await Database.of(environment, api, (await api.demo()).id);
  expect(await database.sql("readWrite", "client", "SELECT 1")).toBe("1");
});

test("destroy leaves nothing after a crash in the middle of a create", async () => {
  const other = await anotherEnvironment();
  await other.npm("start", "--no-demo");
  const names = await namesOf(other);
  await new Api(other).create({ name: "half-made", members: 3, storage: { sizeGiB: 1 } });
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await other.killControlPlane();

  await other.npm("destroy");

  expect(await footprint(names)).toEqual({});
  await expect(readdir(other.stateDirectory)).rejects.toThrow("ENOENT");
});

test("stop keeps the data and start brings it back", async () => {
  const other = await anotherEnvironment();
  await other.npm("start", "--no-demo");
  const otherApi = new Api(other);
  const cluster = await otherApi.createAvailable({ name: "sleeper", members: 1, storage: { sizeGiB: 1 } });
  {
    await using database = await Database.of(other, otherApi, cluster.id);
    await database.sql("readWrite", "admin", "CREATE TABLE kept AS SELECT 42 AS answer");
  }

  await other.npm("stop");
  await other.npm("start", "--no-demo");

  await using database = await Database.of(other, otherApi, cluster.id);
  await expect
    .poll(() => database.sql("readWrite", "client", "SELECT answer FROM kept").catch(String), {
      timeout: 60_000,
    })
    .toBe("42");
});
