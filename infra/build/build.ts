import { createHash } from "node:crypto";
import { access, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build as bundle, type Metafile, type OutputFile, type Plugin } from "esbuild";
import { leanClients } from "./lean-clients.ts";
import { leanSchemas } from "./lean-schemas.ts";
import { leanZod } from "./lean-zod.ts";
import { sharedBase } from "./shared-base.ts";
import { discoverFunctions, type FunctionSource, type LayersPackage, readLayersPackage } from "./tree.ts";

/**
 * What deploys, below one directory:
 *
 *     functions/<name>/index.mjs                           one bundle per function; `@pgherd/layers/*` stays outside
 *     layer/nodejs/node_modules/@pgherd/layers/…           the Lambda layer, with its own package.json
 *     node/pgherd-node.cjs, node/run                       node program and the loader that the node image holds
 *     node/publish-manifest.cjs                            what says in Parameter Store what a node image has
 *     maps/…                                               source maps of all of it; never shipped
 *
 * The same sources give the same bytes, so that an unchanged function keeps its asset hash and its version.
 */
export const repositoryRoot = fileURLToPath(new URL("../..", import.meta.url));

/** Lambda's newest Node.js runtime. */
const lambdaTarget = "node24";
/** Debian 13's package `nodejs`. */
const nodeImageTarget = "node20";

const layerFolder = "layer/nodejs/node_modules/@pgherd/layers";

export interface BuildOutput {
  readonly directory: string;
  readonly functions: readonly FunctionSource[];
  /** What functions import (`@pgherd/layers/domain`) → the layer's file for it, relative to the directory. */
  readonly layerEntries: Readonly<Record<string, string>>;
  /** The node program's own hash: commands name it, nodes check it. */
  readonly nodeProgramSha256: string;
  /** Output file (relative to the directory) → bytes and what is in it, for measurements and tests. */
  readonly files: Readonly<Record<string, BuiltFile>>;
}

export interface BuiltFile {
  readonly bytes: number;
  /** Sources (relative to the repository) → bytes of the output that they became. */
  readonly sources: Readonly<Record<string, number>>;
  /** What it imports as soon as it is imported: other output files, or what stays outside (`node:fs`, `@pgherd/layers/domain`). */
  readonly imports: readonly string[];
}

interface Part {
  readonly outputs: readonly OutputFile[];
  readonly metafile: Metafile;
}

export async function build(
  options: { readonly root?: string; readonly directory?: string } = {},
): Promise<BuildOutput> {
  const root = options.root ?? repositoryRoot;
  const directory = options.directory ?? path.join(root, "dist");
  const functions = await discoverFunctions(root);
  const layers = await readLayersPackage(root);
  await checkEntriesExist(root, layers);
  const parts = await Promise.all([
    bundleFunctions(root, directory, functions),
    bundleLayer(root, directory, layers),
    bundleNodeProgram(root, directory),
    bundleNodeLoader(root, directory),
  ]);
  await rm(directory, { recursive: true, force: true });
  const outputs = parts.flatMap((part) => part.outputs);
  await Promise.all(outputs.map((output) => writeOutput(directory, output)));
  await writeFile(path.join(directory, layerFolder, "package.json"), layerPackageJson(layers));
  return {
    directory,
    functions,
    layerEntries: Object.fromEntries(
      Object.entries(layers.exports).map(([name, source]) => [
        path.posix.join("@pgherd/layers", name),
        path.posix.join(layerFolder, `${stripExtension(source)}.js`),
      ]),
    ),
    nodeProgramSha256: sha256(findOutput(outputs, path.join(directory, "node/pgherd-node.cjs"))),
    files: describeFiles(root, directory, parts),
  };
}

const common = {
  bundle: true,
  write: false,
  metafile: true,
  platform: "node",
  format: "esm",
  /** Some packages keep CommonJS in `main` and ES modules in `module`; ES modules start faster and shake better. */
  mainFields: ["module", "main"],
  /** Node.js prints the line that threw: a bundle on one line would fill the log. Costs nothing measurable. */
  lineLimit: 160,
  sourcemap: "external",
  legalComments: "none",
  logLevel: "silent",
} as const satisfies BuildOptions;

/**
 * Names stay, because logs show those of classes and functions, and codes of errors are made of them. To shorten them
 * and to keep them beside (`keepNames`) takes a call per function when a bundle is loaded: a tenth of all.
 */
const small = { minifySyntax: true, minifyWhitespace: true } as const satisfies BuildOptions;

/** What every function loads of the layer. */
const loadedByAll = ["domain/index.ts", "ports/index.ts", "runtime/index.ts", "aws/store.ts"];

function bundleFunctions(
  root: string,
  directory: string,
  functions: readonly FunctionSource[],
): Promise<Part> {
  return run({
    ...common,
    ...small,
    absWorkingDir: root,
    entryPoints: functions.map(({ name, entry }) => ({
      in: path.join(root, entry),
      out: `functions/${name}/index`,
    })),
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    target: lambdaTarget,
    external: ["@pgherd/layers/*"],
  });
}

function bundleLayer(root: string, directory: string, layers: LayersPackage): Promise<Part> {
  const base = sharedBase(loadedByAll.map((file) => path.join(root, "layers", file)));
  const options = {
    ...common,
    ...small,
    absWorkingDir: root,
    entryPoints: Object.values(layers.exports).map((source) => ({
      in: path.join(root, "layers", source),
      out: stripExtension(source),
    })),
    outdir: path.join(directory, layerFolder),
    splitting: true,
    chunkNames: "chunks/[hash]",
    target: lambdaTarget,
  };
  return run(options, [base]);
}

function bundleNodeProgram(root: string, directory: string): Promise<Part> {
  return run({
    ...common,
    absWorkingDir: root,
    entryPoints: [
      { in: path.join(root, "layers/node/main.ts"), out: "node/pgherd-node" },
      { in: path.join(root, "layers/node/publish-manifest.ts"), out: "node/publish-manifest" },
    ],
    outdir: directory,
    outExtension: { ".js": ".cjs" },
    // What V8 has compiled of a script can be kept; of an ES module it cannot.
    format: "cjs",
    supported: { "dynamic-import": false },
    // Not made small: nodes keep it, and who reads its stack traces there has no source map.
    target: nodeImageTarget,
  });
}

/** One executable file without an extension, which Node.js takes for CommonJS. */
async function bundleNodeLoader(root: string, directory: string): Promise<Part> {
  const loader = {
    ...common,
    ...small,
    absWorkingDir: root,
    format: "cjs",
    supported: { "dynamic-import": false },
    target: nodeImageTarget,
  } as const;
  // AWS's client is needed once, for the program's download: as text it costs other commands nothing.
  const { outputs } = await run({
    ...loader,
    sourcemap: false,
    entryPoints: [path.join(root, "layers/aws/node-download.ts")],
    outfile: path.join(directory, "node/download"),
  });
  return run({
    ...loader,
    entryPoints: [path.join(root, "layers/node/loader.ts")],
    outfile: path.join(directory, "node/run"),
    define: { downloadProgram: JSON.stringify(outputs[0]?.text) },
    banner: { js: "#!/usr/bin/env node" },
  });
}

async function run(
  options: BuildOptions & { write: false; metafile: true },
  plugins: readonly Plugin[] = [],
): Promise<Part> {
  const result = await bundle({
    ...options,
    plugins: [...plugins, leanClients, leanSchemas, leanZod],
  });
  return { outputs: result.outputFiles, metafile: result.metafile };
}

async function writeOutput(directory: string, output: OutputFile): Promise<void> {
  const file = output.path.endsWith(".map")
    ? path.join(directory, "maps", path.relative(directory, output.path))
    : output.path;
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, output.contents, { mode: path.basename(file) === "run" ? 0o755 : 0o644 });
}

function layerPackageJson(layers: LayersPackage): string {
  const built = Object.entries(layers.exports).map(([name, source]) => [
    name,
    `${stripExtension(source)}.js`,
  ]);
  const content = {
    name: "@pgherd/layers",
    version: layers.version,
    type: "module",
    exports: Object.fromEntries(built),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

async function checkEntriesExist(root: string, layers: LayersPackage): Promise<void> {
  for (const [name, source] of Object.entries(layers.exports)) {
    await access(path.join(root, "layers", source)).catch((error: unknown) => {
      throw new Error(
        `layers/package.json exports ${name} from ${source}, which is not there: write it, or take the export out`,
        { cause: error },
      );
    });
  }
}

function describeFiles(root: string, directory: string, parts: readonly Part[]): BuildOutput["files"] {
  const nameOf = (output: string) => path.relative(directory, path.resolve(root, output));
  const outputs = parts
    .flatMap(({ metafile }) => Object.entries(metafile.outputs))
    .filter(([output]) => !output.endsWith(".map"));
  return Object.fromEntries(
    outputs.map(([output, { bytes, inputs, imports }]) => [
      nameOf(output),
      {
        bytes,
        sources: Object.fromEntries(
          Object.entries(inputs).map(([source, { bytesInOutput }]) => [source, bytesInOutput]),
        ),
        imports: imports
          .filter(({ kind }) => kind !== "dynamic-import")
          .map(({ path: imported, external }) => (external === true ? imported : nameOf(imported))),
      },
    ]),
  );
}

function findOutput(outputs: readonly OutputFile[], file: string): Uint8Array {
  const output = outputs.find((candidate) => candidate.path === file);
  if (output === undefined) {
    throw new Error(`esbuild wrote no ${file}`);
  }
  return output.contents;
}

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

function stripExtension(file: string): string {
  return file.replace(/\.ts$/, "");
}
