import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { lowerDirectories } from "../../local/machines/image.ts";
import { runProgram } from "../../local/machines/program.ts";
import { nodeImage } from "../../test/machines/support/machines.ts";

/** Everything from Debian, as somebody who does not use pgherd would install it. */
const packages = [
  "repmgr",
  "postgresql-17-repmgr",
  "pg-auto-failover-cli",
  "postgresql-17-auto-failover",
  // repmgr's switchover goes from node to node.
  "openssh-server",
  "openssh-client",
  "sudo",
];
const buildTimeoutMs = 10 * 60_000;
const hashCharacters = 16;
const buildScript = fileURLToPath(new URL("image-build.sh", import.meta.url));

/** The node image with the peers' packages as one more layer; found in the cache or built. */
export async function peersImage(): Promise<string> {
  const image = await nodeImage();
  const lower = await lowerDirectories(image);
  const base = lower.at(-1);
  if (base === undefined) throw new Error(`${image} has no layers`);
  const hash = createHash("sha256")
    .update(await readFile(buildScript))
    .update(JSON.stringify([packages, lower]))
    .digest("hex")
    .slice(0, hashCharacters);
  const directory = join(dirname(image), `peers-${hash}`);
  if (existsSync(directory)) return directory;
  const unfinished = join(dirname(image), `filling-${process.pid}-peers-${hash}`);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  try {
    await runProgram(
      "unshare",
      [
        ...["--mount", "--propagation", "private", "--pid", "--mount-proc", "--fork", "--kill-child=KILL"],
        ...["/bin/sh", buildScript, base, unfinished, ...packages],
      ],
      { timeoutMs: buildTimeoutMs },
    );
    const layers = ["root", ...lower.map((layer) => relative(directory, layer))];
    await writeFile(join(unfinished, "layers.json"), JSON.stringify(layers));
    await rename(unfinished, directory);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return directory;
}
