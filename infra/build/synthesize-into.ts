import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { createApp } from "../create-app.ts";
import { build } from "./build.ts";
import type { SynthesisInputs, SynthesizedAsset, SynthesizedStage } from "./synth.ts";

/** The part of CDK's asset manifest that we read. */
const assetManifestSchema = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.object({ path: z.string(), packaging: z.enum(["zip", "file"]) }),
      destinations: z.record(z.string(), z.object({ bucketName: z.string(), objectKey: z.string() })),
    }),
  ),
});

/** Builds and synthesizes into an empty directory; paths in the answer are relative to it. */
export async function synthesizeInto(
  directory: string,
  { root, stage, variables }: SynthesisInputs,
): Promise<Omit<SynthesizedStage, "fresh">> {
  const built = await build({
    directory: path.join(directory, "build"),
    ...(root === undefined ? {} : { root }),
  });
  const app = createApp({
    stages: [stage],
    build: built,
    outDirectory: path.join(directory, "assembly"),
    variables,
  });
  const assembly = app.synth().getNestedAssembly(`assembly-${stage}`);
  const stacks = await Promise.all(
    assembly.stacksRecursively.map(async (stack) => ({
      name: stack.stackName,
      template: path.relative(directory, stack.templateFullPath),
      assets: await readAssets(directory, stack.templateFullPath),
    })),
  );
  const environment = assembly.stacksRecursively[0]?.environment;
  if (environment === undefined) {
    throw new Error(`the stage ${stage} has no stack`);
  }
  return {
    stage,
    account: environment.account,
    region: environment.region,
    stacks,
    nodeLoader: "build/node/run",
  };
}

async function readAssets(directory: string, template: string): Promise<SynthesizedAsset[]> {
  const file = template.replace(/\.template\.json$/, ".assets.json");
  const manifest = assetManifestSchema.parse(JSON.parse(await readFile(file, "utf8")));
  return Object.values(manifest.files)
    .filter(({ source }) => !source.path.endsWith(".template.json"))
    .flatMap(({ source, destinations }) =>
      Object.values(destinations).map((destination) => ({
        bucket: destination.bucketName,
        key: destination.objectKey,
        source: path.relative(directory, path.resolve(path.dirname(file), source.path)),
        packaging: source.packaging,
      })),
    );
}
