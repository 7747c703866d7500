import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { environment } from "../support/world.ts";

const run = promisify(execFile);

const pageTimeoutMs = 360_000;
/** Every answer of the API, as the examples show it. */
const outputBytesMax = 8 * 1024 ** 2;

/** One page goes on in the middle of the other, where that sends its reader there. */
async function readPages(): Promise<string> {
  const [using = "", operating = ""] = await Promise.all(
    ["docs/using.md", "docs/operating.md"].map((page) => readFile(page, "utf8")),
  );
  const there = /^.*\[operating\.md\]\(operating\.md\) goes on from here\.$/m;
  expect(using).toMatch(there);
  return using.replace(there, () => operating);
}

const promise = "every example of docs/using.md and docs/operating.md runs as it stands, in order";

/** Blocks of `sh` run; what takes too long, or hurts, is written as `http`. */
test(promise, { timeout: pageTimeoutMs + 10_000 }, async () => {
  const pages = await readPages();
  const blocks = [...pages.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
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
