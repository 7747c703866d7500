import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { environment } from "./support/world.ts";

const run = promisify(execFile);

const pageTimeoutMs = 360_000;

/** One page goes on in the middle of the other, where that sends its reader there. */
async function readPages(): Promise<string> {
  const [using = "", operating = ""] = await Promise.all(
    ["docs/using.md", "docs/operating.md"].map((page) => readFile(page, "utf8")),
  );
  const there = /^.*\[operating\.md\]\(operating\.md\) goes on from here\.$/m;
  expect(using).toMatch(there);
  return using.replace(there, () => operating);
}

/** Blocks of `sh` run; what takes too long, or hurts, is written as `http`. */
test("every example of docs/using.md and docs/operating.md runs as it stands, in order", async () => {
  const pages = await readPages();
  const blocks = [...pages.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
  expect(blocks.length).toBeGreaterThan(20);

  const { stdout } = await run("bash", ["-euo", "pipefail", "-c", blocks.join("\n")], {
    env: {
      ...process.env,
      PGHERD_STATE_DIR: environment.stateDirectory,
      PGHERD_CACHE_DIR: environment.cacheDirectory,
    },
    timeout: pageTimeoutMs,
  });

  expect(stdout).toContain("TLSv1.3");
});
