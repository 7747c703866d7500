import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  utimes,
  writeFile,
} from "node:fs/promises";
import { arch } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildProgress, buildBase } from "./image-build.ts";

/**
 * The image of the machines: layers of an overlay. The base (Debian and the packages of the node recipe) takes most
 * of a minute and changes rarely; the loader of the node program is a layer of its own, made in a moment.
 */
export interface NodeImageOptions {
  /** Shared by all environments of the machine; what is in it can be made again. */
  readonly cacheDirectory: string;
  /** Folder with `packages.txt`, `install.sh` and `files`: the recipe that the AMI is made by, too. */
  readonly recipeDirectory: string;
  /** The built loader; `/usr/lib/pgherd/run` in the machines. */
  readonly loaderPath: string;
  readonly onProgress?: (progress: BuildProgress) => void;
  readonly signal?: AbortSignal;
}

export interface NodeImage {
  /** For `MachineSpec.imagePath`. */
  readonly path: string;
  /** Package → installed version. */
  readonly manifest: Readonly<Record<string, string>>;
}

const hashCharacters = 16;
const loaderInImage = "usr/lib/pgherd/run";
/** A base takes 0.7 GB, and its download and unpacking some more. */
const buildBytesMin = 2 * 1024 ** 3;

/** Finds the image in the cache or builds it. Can be interrupted anywhere and repeated. */
export async function ensureNodeImage(options: NodeImageOptions): Promise<NodeImage> {
  const images = join(options.cacheDirectory, "node-image");
  await mkdir(images, { recursive: true, mode: 0o755 });
  const base = `base-${await hashOfRecipe(options.recipeDirectory)}`;
  if (!existsSync(join(images, base))) {
    await checkSpace(images);
    await buildBase({ ...options, images, name: base });
  }
  const loader = await ensureLoader(images, options.loaderPath);
  const path = await ensureImage(images, [loader, join(base, "root")]);
  const manifest = JSON.parse(await readFile(join(images, base, "manifest.json"), "utf8")) as Record<
    string,
    string
  >;
  return { path, manifest };
}

/** The directories of an image for an overlay mount, uppermost first. */
export async function lowerDirectories(imagePath: string): Promise<readonly string[]> {
  const file = join(imagePath, "layers.json");
  if (!existsSync(file)) {
    throw new Error(`There is no node image at ${imagePath}. Run npm start, which builds it.`);
  }
  const layers = JSON.parse(await readFile(file, "utf8")) as string[];
  const lower = layers.map((layer) => join(imagePath, layer));
  const missing = lower.find((directory) => !existsSync(directory));
  if (missing !== undefined) {
    throw new Error(`The node image is incomplete: ${missing} is missing. Run npm start, which builds it.`);
  }
  return lower;
}

async function ensureLoader(images: string, loaderPath: string): Promise<string> {
  const name = `loader-${shortHash(await readFile(loaderPath))}`;
  await ensureDirectory(images, name, async (directory) => {
    const target = join(directory, loaderInImage);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await copyFile(loaderPath, target);
    await chmod(target, 0o755);
    // A younger /usr than the base's would make every first boot rebuild the linker's cache.
    await utimes(join(directory, "usr"), 1, 1);
  });
  return name;
}

async function ensureImage(images: string, layers: readonly string[]): Promise<string> {
  const name = `image-${shortHash(JSON.stringify(layers))}`;
  await ensureDirectory(images, name, async (directory) => {
    const paths = layers.map((layer) => relative(join(images, name), join(images, layer)));
    await writeFile(join(directory, "layers.json"), JSON.stringify(paths));
  });
  return join(images, name);
}

/** Filled under another name and renamed: what has its name is complete. */
async function ensureDirectory(
  images: string,
  name: string,
  fill: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = join(images, name);
  if (existsSync(directory)) return;
  const unfinished = join(images, `filling-${process.pid}-${name}`);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o755 });
  try {
    await fill(unfinished);
    await rename(unfinished, directory);
  } catch (error) {
    // Another environment may have been faster, with the same content.
    if (!existsSync(directory)) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Everything that the base follows from: the recipe, our build script and the processor. */
async function hashOfRecipe(recipeDirectory: string): Promise<string> {
  const hash = createHash("sha256").update(arch());
  hash.update(await readFile(fileURLToPath(new URL("image-build.sh", import.meta.url))));
  const entries = await readdir(recipeDirectory, { recursive: true });
  for (const entry of entries.sort()) {
    const path = join(recipeDirectory, entry);
    const { mode } = await stat(path);
    hash.update(`\0${entry}\0${mode}\0`);
    if ((await stat(path)).isFile()) hash.update(await readFile(path));
  }
  return hash.digest("hex").slice(0, hashCharacters);
}

function shortHash(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex").slice(0, hashCharacters);
}

async function checkSpace(directory: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < buildBytesMin) {
    throw new Error(
      `The node image needs ${buildBytesMin / 1024 ** 3} GB free in ${directory}. Make room there, or set PGHERD_CACHE_DIR to a directory on a larger file system.`,
    );
  }
}
