import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LogFile } from "../../../local/state/log-file.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-log-"));
});
afterAll(() => rm(directory, { recursive: true }));

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);
const lines = (of: readonly number[]): string => of.map((one) => `${one}\n`).join("");

test("lines are in the file in the order in which they came, also those that come while others are written", async () => {
  const path = join(directory, "logs", "order.log");
  const log = new LogFile(path);
  for (const number of numbers(0, 500)) log.append(`${number}\n`);
  const first = log.flush();
  for (const number of numbers(500, 1000)) log.append(`${number}\n`);
  await Promise.all([first, log.flush()]);
  expect(await readFile(path, "utf8")).toBe(lines(numbers(0, 1000)));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a file that is full becomes the older half", async () => {
  const path = join(directory, "full.log");
  const log = new LogFile(path);
  const mebibyte = "x".repeat(1024 ** 2);
  for (const number of numbers(0, 6)) {
    log.append(`${number}${mebibyte}\n`);
    await log.flush();
  }
  expect((await readFile(path, "utf8")).slice(0, 2)).toBe("4x");
  expect((await readFile(`${path}.1`, "utf8")).slice(0, 2)).toBe("0x");
});

test("a process that ends by itself has written everything that it had to say", async () => {
  const path = join(directory, "end.log");
  const module = new URL("../../../local/state/log-file.ts", import.meta.url).href;
  const program = `import { LogFile } from ${JSON.stringify(module)};
    const log = new LogFile(${JSON.stringify(path)});
    log.append("last words\\n");
    process.exit(0);`;
  await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  expect(await readFile(path, "utf8")).toBe("last words\n");
});
