import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import type { FunctionConfiguration } from "../../../../local/lambda/functions.ts";

export const repository = resolve(import.meta.dirname, "../../../..");
export const nodeBinary = process.execPath;

/** A folder with assets of functions and a layer, as the deployment builds them. */
export async function makeAssets(functions: Readonly<Record<string, string>>) {
  const directory = await mkdtemp(join(tmpdir(), "pgherd-functions-"));
  const layer = join(directory, "layer");
  const shared = join(layer, "nodejs/node_modules/@pgherd/layers");
  await mkdir(shared, { recursive: true });
  await writeFile(
    join(shared, "package.json"),
    JSON.stringify({ name: "@pgherd/layers", type: "module", exports: { "./domain": "./domain.js" } }),
  );
  await writeFile(join(shared, "domain.js"), 'export const word = "from the layer";\n');
  for (const [name, source] of Object.entries(functions)) {
    await build({
      stdin: { contents: source, resolveDir: repository, loader: "js" },
      outfile: join(directory, name, "index.mjs"),
      bundle: true,
      format: "esm",
      platform: "node",
      external: ["@pgherd/layers/*", "@aws-sdk/*", "left-pad"],
      banner: {
        js: "import { createRequire as fixtureRequire } from 'node:module'; const require = fixtureRequire(import.meta.url);",
      },
      logLevel: "silent",
    });
  }
  return {
    directory,
    configurationOf: (name: string, more: Partial<FunctionConfiguration> = {}): FunctionConfiguration => ({
      functionName: name,
      handler: "index.handler",
      codeDirectory: join(directory, name),
      layerDirectories: [layer],
      environment: { GREETING: "hello" },
      roleName: `${name}-role`,
      timeoutSeconds: 10,
      memoryMiB: 256,
      durable: null,
      concurrency: 2,
      warm: 0,
      ...more,
    }),
  };
}
