import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import type { StageName } from "../config/index.ts";
import type { localInputs } from "../config/local.ts";
import { repositoryRoot } from "./build.ts";

/**
 * One stage, built and synthesized into a directory of the caller's:
 *
 *     key            hash of everything that the result follows from; the last thing written
 *     stage.json     what {@link SynthesizedStage} says, paths relative to the directory
 *     build/         bundles, layer and node program (see build.ts), `build/node/run` among them
 *     assembly/      CDK's cloud assembly: templates in assembly/assembly-<stage>/, staged assets beside it
 *
 * The directory is replaced as a whole when its inputs change: whoever runs what is in it copies it first.
 */
const assetSchema = z.strictObject({
  bucket: z.string(),
  key: z.string(),
  /** A directory where `packaging` is zip: what S3 would hold is a zip of what is in it. */
  source: z.string(),
  packaging: z.enum(["zip", "file"]),
});
const stackSchema = z.strictObject({ name: z.string(), template: z.string(), assets: z.array(assetSchema) });
const stageSchema = z.strictObject({
  stage: z.string(),
  account: z.string(),
  region: z.string(),
  /** In the order in which they deploy. */
  stacks: z.array(stackSchema),
  /** The loader that a node image holds as /usr/lib/pgherd/run. */
  nodeLoader: z.string(),
});
/** Paths are absolute in what {@link synthesize} returns. */
export type SynthesizedStage = z.infer<typeof stageSchema> & { readonly fresh: boolean };
export type SynthesizedStack = z.infer<typeof stackSchema>;
export type SynthesizedAsset = z.infer<typeof assetSchema>;

export interface SynthesisInputs {
  /** Where functions and layers are; this repository where it is not given. */
  readonly root?: string;
  readonly stage: StageName;
  readonly outDirectory: string;
  /** Variables that the stage's config reads ({@link localInputs}). */
  readonly variables: Readonly<Partial<Record<(typeof localInputs)[keyof typeof localInputs], string>>>;
}

/** What decides the result beside the variables. */
const sourceFolders = ["functions", "infra", "layers"];
const sourceFiles = ["package-lock.json"];

/** Builds and synthesizes, or finds that nothing changed since it last did. */
export async function synthesize(inputs: SynthesisInputs): Promise<SynthesizedStage> {
  const key = await hashInputs(inputs);
  const fresh = (await readIfThere(path.join(inputs.outDirectory, "key"))) !== key;
  if (fresh) {
    await renew(inputs, key);
  }
  return { ...(await readStage(inputs.outDirectory)), fresh };
}

/** The stage that {@link synthesize} left in a directory, with absolute paths. */
export async function readStage(outDirectory: string): Promise<z.infer<typeof stageSchema>> {
  const content = await readFile(path.join(outDirectory, "stage.json"), "utf8");
  return withAbsolutePaths(stageSchema.parse(JSON.parse(content)), outDirectory);
}

async function renew(inputs: SynthesisInputs, key: string): Promise<void> {
  // Here, so that a start that finds nothing changed does not load CDK and esbuild.
  const { synthesizeInto } = await import("./synthesize-into.ts");
  const next = `${inputs.outDirectory}.next`;
  await rm(next, { recursive: true, force: true });
  await mkdir(next, { recursive: true });
  const stage = await synthesizeInto(next, inputs);
  await writeFile(path.join(next, "stage.json"), JSON.stringify(stage, null, 2));
  await writeFile(path.join(next, "key"), key);
  await rm(inputs.outDirectory, { recursive: true, force: true });
  await rename(next, inputs.outDirectory);
}

async function hashInputs(inputs: SynthesisInputs): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([inputs.stage, Object.entries(inputs.variables).sort(), process.version]));
  const root = inputs.root ?? repositoryRoot;
  const listed = await Promise.all(sourceFolders.map((folder) => listSources(root, folder)));
  const files = [...listed.flat(), ...sourceFiles].sort();
  const contents = await Promise.all(files.map((file) => readFile(path.join(root, file))));
  for (const [index, file] of files.entries()) {
    hash.update(`\0${file}\0`).update(contents[index] ?? "");
  }
  return hash.digest("hex");
}

async function listSources(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}

function withAbsolutePaths(
  stage: z.infer<typeof stageSchema>,
  directory: string,
): z.infer<typeof stageSchema> {
  const absolute = (file: string) => path.resolve(directory, file);
  return {
    ...stage,
    nodeLoader: absolute(stage.nodeLoader),
    stacks: stage.stacks.map((stack) => ({
      ...stack,
      template: absolute(stack.template),
      assets: stack.assets.map((asset) => ({ ...asset, source: absolute(asset.source) })),
    })),
  };
}
