import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCached } from "../../../layers/node/code-cache.ts";

const source = `
exports.ended = (async () => {
  const { basename } = require("node:path");
  const { inspect } = await Promise.resolve().then(() => require("node:util"));
  exports.words = basename(__filename) + inspect({ a: 1 });
})();`;

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-code-"));
  path = join(directory, "program.cjs");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function run(text: string): Promise<unknown> {
  const { exports, keepCache } = await runCached(path, text);
  if (!("ended" in exports)) throw new Error("it has not run");
  await exports.ended;
  await keepCache();
  return "words" in exports ? exports.words : undefined;
}

async function cache(): Promise<{ path: string; content: Buffer }> {
  const names = (await readdir(directory)).filter((name) => name.startsWith("program.cjs."));
  expect(names).toEqual([`program.cjs.${process.version}.cache`]);
  const found = join(directory, names[0] ?? "");
  return { path: found, content: await readFile(found) };
}

test("a program runs as Node.js would run it, the first time and with what V8 has kept of it", async () => {
  expect(await run(source)).toBe("program.cjs{ a: 1 }");
  const { content } = await cache();
  expect(await run(source)).toBe("program.cjs{ a: 1 }");
  expect((await cache()).content.equals(content)).toBe(true);
});

test("another source is not run from what was kept of the one before", async () => {
  await run(source);
  expect(await run(`${source}\nexports.more = "longer";`.replace("a: 1", "a: 2"))).toBe(
    "program.cjs{ a: 2 }",
  );
});

test.each([0, 7, 32, 200])("a cache of which only %i bytes are left is made again", async (bytes) => {
  await run(source);
  const whole = await cache();
  await writeFile(whole.path, whole.content.subarray(0, bytes));
  expect(await run(source)).toBe("program.cjs{ a: 1 }");
  expect((await cache()).content.length).toBe(whole.content.length);
});

test("a cache with one wrong bit is made again", async () => {
  await run(source);
  const { path: cachePath, content } = await cache();
  const wrong = Buffer.from(content);
  wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1;
  await writeFile(cachePath, wrong);
  expect(await run(source)).toBe("program.cjs{ a: 1 }");
  expect((await cache()).content.equals(wrong)).toBe(false);
});
