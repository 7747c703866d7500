import {
  checkManifest,
  type Manifest,
  manifestKey,
  manifestSchema,
  signedManifestSchema,
} from "../../domain/backup/manifest.ts";
import type { Objects } from "../context.ts";
import { NodeFailure } from "../failure.ts";
import { Seal } from "./seal.ts";

export interface StoredManifest {
  readonly manifest: Manifest;
  readonly seal: Seal;
}

/** Null: there is no backup. @throws {NodeFailure} `backup-damaged` where it is not what a node of the cluster wrote */
export async function readManifest(
  objects: Objects,
  prefix: string,
  pass: string,
): Promise<StoredManifest | null> {
  const stored = await objects.get(manifestKey(prefix));
  if (stored === null) return null;
  const damaged = (why: string, cause?: unknown) =>
    new NodeFailure(`the manifest of the backup cannot be used: ${why}`, { code: "backup-damaged", cause });
  let text: string;
  let manifest: Manifest;
  let mac: string;
  try {
    const signed = signedManifestSchema.parse(JSON.parse(stored.toString("utf8")));
    mac = signed.mac;
    text = JSON.stringify(signed.manifest);
    manifest = manifestSchema.parse(signed.manifest);
  } catch (error) {
    throw damaged("it has not the form of one", error);
  }
  const seal = new Seal(pass, Buffer.from(manifest.salt, "base64"));
  if (!seal.isMacOf(text, mac)) throw damaged("it was not written with this cluster's pass");
  const complaint = checkManifest(manifest);
  if (complaint !== null) throw damaged(complaint);
  return { manifest, seal };
}

/** @param isMeant all, unless it says otherwise */
export async function removeBelow(
  objects: Objects,
  prefix: string,
  isMeant: (key: string) => boolean = () => true,
): Promise<void> {
  for await (const keys of objects.list(prefix)) await objects.remove(keys.filter(isMeant));
}
