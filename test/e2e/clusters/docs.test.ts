import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { environment } from "../support/world.ts";

const run = promisify(execFile);

const pageTimeoutMs = 360_000;
/** Every answer of the API, as the examples show it. */
const outputBytesMax = 8 * 1024 ** 2;

/** A page goes on in the middle of another, where that sends its reader there. */
const pages = ["using.md", "operating.md", "backups.md"];

async function readPages([page = "", ...following]: readonly string[]): Promise<string> {
  const text = await readFile(`docs/${page}`, "utf8");
  const [next] = following;
  if (next === undefined) return text;
  const there = `[${next}](${next}) goes on from here.`;
  expect(text).toContain(there);
  const rest = await readPages(following);
  return text.replace(there, () => `\n${rest}`);
}

const promise = `every example of ${pages.join(", ")} runs as it stands, in order`;

/** Blocks of `sh` run; what takes too long, or hurts, is written as `http`. */
test(promise, { timeout: pageTimeoutMs + 10_000 }, async () => {
  const text = await readPages(pages);
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
  expect(blocks.length).toBeGreaterThanOrEqual(20);

  const { stdout } = await run("bash", ["-euo", "pipefail", "-c", blocks.join("\n")], {
    env: {
      ...process.env,
      PGHERD_STATE_DIR: environment.stateDirectory,
      PGHERD_CACHE_DIR: environment.cacheDirectory,
    },
    timeout: pageTimeoutMs,
    maxBuffer: outputBytesMax,
  });

  expect(stdout).toContain("TLSv1.3");
});
