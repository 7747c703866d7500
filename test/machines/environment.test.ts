import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withLock } from "../../local/environment/lock.ts";
import { type EnvironmentPaths, environmentPaths } from "../../local/environment/paths.ts";
import { type EnvironmentSettings, ensureSettings, readSettings } from "../../local/environment/settings.ts";
import { ensureNetwork, removeNetwork } from "../../local/machines/network.ts";

const program = join(import.meta.dirname, "..", "..", "local", "main.ts");
const commandTimeoutMs = 30_000;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-environment-"));
});
afterEach(async () => {
  for (const name of await readdir(directory)) {
    const settings = await readSettings(pathsOf(name));
    if (settings !== null) await removeNetwork(settings);
  }
  await rm(directory, { recursive: true, force: true });
});

function pathsOf(name: string): EnvironmentPaths {
  return environmentPaths({ PGHERD_STATE_DIR: join(directory, name), PGHERD_CACHE_DIR: directory });
}

function command(name: string, ...argv: string[]): Promise<{ exitCode: number; output: string }> {
  const { state, cache } = pathsOf(name);
  const env = { ...process.env, PGHERD_STATE_DIR: state, PGHERD_CACHE_DIR: cache };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", program, ...argv],
      { env, timeout: commandTimeoutMs },
      (error, stdout, stderr) =>
        resolve({
          exitCode: error === null ? 0 : typeof error.code === "number" ? error.code : -1,
          output: stdout + stderr,
        }),
    );
  });
}

const hasBridge = ({ bridge }: EnvironmentSettings) => existsSync(join("/sys/class/net", bridge));

describe("choices", () => {
  test("environments that begin at once have a network, a bridge and ports of their own", async () => {
    const made = await Promise.all(["a", "b", "c", "d"].map((name) => ensureSettings(pathsOf(name))));

    expect(new Set(made.map(({ cidr }) => cidr)).size).toBe(4);
    expect(new Set(made.map(({ bridge }) => bridge)).size).toBe(4);
    const ports = made.flatMap((one) => Object.values(one.ports));
    expect(new Set(ports).size).toBe(4 * 5);
    expect(made.every(hasBridge)).toBe(true);
  });

  test("stay for the life of the state directory; a bridge that is gone comes back", async () => {
    const first = await ensureSettings(pathsOf("a"));
    await removeNetwork(first);

    const second = await ensureSettings(pathsOf("a"));

    expect(second).toEqual(first);
    expect(hasBridge(second)).toBe(true);
  });

  test("a network that somebody else took meanwhile is refused with the name of the interface", async () => {
    const settings = await ensureSettings(pathsOf("a"));
    await removeNetwork(settings);
    const other = { bridge: "pgtother", cidr: settings.cidr };
    await ensureNetwork(other);
    try {
      await expect(ensureSettings(pathsOf("a"))).rejects.toThrow("in use by the interface pgtother");
    } finally {
      await removeNetwork(other);
    }
  });
});

describe("destroy", () => {
  test("completes one that was interrupted when little was left", async () => {
    const settings = await ensureSettings(pathsOf("a"));

    const { exitCode } = await command("a", "destroy");

    expect(exitCode).toBe(0);
    expect(hasBridge(settings)).toBe(false);
    expect(existsSync(pathsOf("a").state)).toBe(false);
  });

  test("removes what a start left that was interrupted while it chose", async () => {
    await mkdir(pathsOf("a").state);
    await writeFile(`${pathsOf("a").settings}.0a1b2c3d`, '{"id":');

    const { exitCode } = await command("a", "destroy");

    expect(exitCode).toBe(0);
    expect(existsSync(pathsOf("a").state)).toBe(false);
  });

  test("leaves a directory alone that holds something else", async () => {
    await mkdir(pathsOf("a").state);
    await writeFile(join(pathsOf("a").state, "thesis.tex"), "years of work");

    const { exitCode, output } = await command("a", "destroy");

    expect(output).toContain("remove it by hand");
    expect(exitCode).toBe(1);
    expect(await readdir(pathsOf("a").state)).toEqual(["thesis.tex"]);
  });

  test("can be repeated", async () => {
    expect((await command("a", "destroy")).exitCode).toBe(0);
    expect((await command("a", "destroy")).exitCode).toBe(0);
  });
});

test.each(["start", "stop", "destroy"])(
  "%s waits for no other command: it says who is at work",
  async (name) => {
    const paths = pathsOf("a");
    await ensureSettings(paths);

    const { exitCode, output } = await withLock(
      `command ${paths.state}`,
      { timeoutMs: 0, busy: "somebody else holds the lock" },
      () => command("a", name),
    );

    expect(output).toContain(`is at work on ${paths.state}`);
    expect(exitCode).toBe(1);
  },
);

test.each([["psql"], ["status"], ["logs"]])("%s tells that nothing serves, without a stack", async (name) => {
  await ensureSettings(pathsOf("a"));

  const { output } = await command("a", name);

  expect(output).toContain("npm start");
  expect(output).not.toMatch(/^ {4}at /m);
});
