import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ensureFile } from "../../../layers/node/files.ts";
import { run } from "../../../layers/node/process.ts";

let directory: string;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-files-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("a file is written whole with its mode, and left alone the second time", async () => {
  const file = { path: join(directory, "a"), content: "secret", owner, mode: 0o600 };
  expect(await ensureFile(file)).toBe(true);
  expect(await readFile(file.path, "utf8")).toBe("secret");
  expect((await stat(file.path)).mode & 0o777).toBe(0o600);
  const { ino } = await stat(file.path);
  expect(await ensureFile(file)).toBe(false);
  expect((await stat(file.path)).ino).toBe(ino);
});

test("another content or another mode is a change", async () => {
  const file = { path: join(directory, "a"), content: "one", owner, mode: 0o600 };
  await ensureFile(file);
  expect(await ensureFile({ ...file, content: "two" })).toBe(true);
  expect(await ensureFile({ ...file, content: "two", mode: 0o644 })).toBe(true);
  expect((await stat(file.path)).mode & 0o777).toBe(0o644);
});

test("nothing half written stays behind", async () => {
  await ensureFile({ path: join(directory, "a"), content: "x", owner, mode: 0o600 });
  expect(await readdir(directory)).toEqual(["a"]);
});

test("a program gets its arguments as they are, without a shell", async () => {
  const { stdout } = await run("printf", ["%s|", "$(id)", "a b", "`x`;"]);
  expect(stdout).toBe("$(id)|a b|`x`;|");
});

test("a program that fails is told with what it said", async () => {
  await expect(run("ls", [join(directory, "missing")])).rejects.toMatchObject({
    code: "program-failed",
    message: expect.stringContaining("No such file"),
  });
});

test("a program that does not end is ended", async () => {
  await expect(run("sleep", ["30"], { timeoutMs: 100 })).rejects.toThrow(/SIGKILL/);
});

test("a program that does not exist is told as such", async () => {
  await expect(run("pgherd-no-such-program", [])).rejects.toThrow(/could not be run/);
});
