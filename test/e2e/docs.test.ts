import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { environment } from "./support/world.ts";

const run = promisify(execFile);

const pageTimeoutMs = 240_000;

test("every example of docs/using.md runs as it stands, in order", async () => {
  const page = await readFile("docs/using.md", "utf8");
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
  expect(blocks.length).toBeGreaterThan(5);

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
