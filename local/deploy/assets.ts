import { createHash } from "node:crypto";
import { cp, mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SynthesizedAsset } from "../../infra/build/synth.ts";
import type { AssetDirectories, DeployTargets } from "./targets.ts";

/** Keys are named by content, so that a copy that is there is the right one. */
function copyName(asset: SynthesizedAsset): string {
  return createHash("sha256").update(`${asset.bucket}/${asset.key}`).digest("hex").slice(0, 32);
}

/**
 * Takes the assets out of the synthesized stage, which the next synthesis replaces: code is copied to the state
 * directory, where versions find it for as long as they are kept; files go into their bucket.
 */
export async function storeAssets(
  assets: readonly SynthesizedAsset[],
  targets: DeployTargets,
): Promise<AssetDirectories> {
  await mkdir(targets.assetDirectory, { recursive: true, mode: 0o700 });
  const directories = new Map<string, string>();
  for (const bucket of new Set(assets.map((asset) => asset.bucket)))
    await targets.objects.ensureBucket(bucket);
  for (const asset of assets) {
    if (asset.packaging === "zip")
      directories.set(`${asset.bucket}/${asset.key}`, await copyCode(asset, targets));
    else await putFile(asset, targets);
  }
  return directories;
}

async function copyCode(asset: SynthesizedAsset, targets: DeployTargets): Promise<string> {
  const directory = join(targets.assetDirectory, copyName(asset));
  if (await exists(directory)) return directory;
  const draft = `${directory}.partial`;
  await rm(draft, { recursive: true, force: true });
  await cp(asset.source, draft, { recursive: true });
  await rename(draft, directory);
  return directory;
}

async function putFile(asset: SynthesizedAsset, targets: DeployTargets): Promise<void> {
  if (await targets.objects.has(asset.bucket, asset.key)) return;
  await targets.objects.putFile(asset.bucket, asset.key, asset.source);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
