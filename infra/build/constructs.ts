import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { build as bundle } from "esbuild";
import { repositoryRoot } from "./build.ts";
import { leanZod } from "./lean-zod.ts";

const run = promisify(execFile);

/** The compiler checks all that the declarations are made from. */
const declarationsTimeoutMs = 120_000;

/**
 * What CDK apps of others import as `pgherd/cdk` (package.json's `exports`): one module, which leaves CDK itself to the
 * app, and its declarations. Node.js runs no TypeScript below node_modules.
 */
export async function buildConstructs(directory = path.join(repositoryRoot, "dist-cdk")): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  const entry = path.join(repositoryRoot, "infra/index.ts");
  await bundle({
    entryPoints: [entry],
    outfile: path.join(directory, "index.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    mainFields: ["module", "main"],
    external: ["aws-cdk-lib", "aws-cdk-lib/*", "constructs"],
    plugins: [leanZod],
    logLevel: "silent",
  });
  const options = ["--declaration", "--emitDeclarationOnly", "--noEmit", "false"];
  const places = ["--rootDir", repositoryRoot, "--outDir", path.join(directory, "types")];
  const compiler = path.join(repositoryRoot, "node_modules/typescript/bin/tsc");
  await run(
    process.execPath,
    [compiler, "-p", path.join(repositoryRoot, "infra/build/constructs.json"), ...options, ...places],
    {
      timeout: declarationsTimeoutMs,
    },
  );
}
