import { describe, expect, test } from "vitest";
import { checkManifest, type ManifestFile, objectKey } from "../../../layers/domain/index.ts";
import { readManifest, removeBelow } from "../../../layers/node/logical/manifest-store.ts";
import { FileWriter, ObjectWriter } from "../../../layers/node/logical/object-writer.ts";
import { Seal, sha256 } from "../../../layers/node/logical/seal.ts";
import { SegmentReader } from "../../../layers/node/logical/segment-reader.ts";
import { manifestOf } from "./support/manifests.ts";
import { PaperObjects } from "./support/objects.ts";

const pass = "a-pass-of-this-test";
const prefix = "clusters/clu_1/0/logical/bkp_1/";
const { attempt, salt } = manifestOf();
const sealOf = (of: string = pass): Seal => new Seal(of, Buffer.from(salt, "base64"));
const mib = 1024 ** 2;

/** Contents by name, as they come: a file can have several parts. */
async function store(objects: PaperObjects, contents: readonly (readonly [string, readonly Buffer[]])[]) {
  const seal = sealOf();
  const writer = new ObjectWriter(objects, (number) => objectKey(prefix, attempt, number), seal);
  const files: ManifestFile[] = [];
  for (const [name, parts] of contents) {
    const file = new FileWriter(name, writer);
    for (const part of parts) await file.add(part);
    files.push(file.file);
  }
  await writer.finish();
  const [globals, ...others] = files;
  if (globals === undefined) throw new Error("there is nothing to store");
  const databases = [{ name: "app", sizeBytes: 1, files: others }];
  const manifest = { ...manifestOf(), globals, databases, objects: [...writer.objects] };
  const mac = seal.mac(JSON.stringify(manifest));
  objects.kept.set(`${prefix}manifest.json`, Buffer.from(JSON.stringify({ manifest, mac })));
  return manifest;
}

const some = [
  ["globals.sql", [Buffer.from("CREATE ROLE x;")]],
  ["toc.dat", [Buffer.from("contents")]],
  ["1.dat.zst", [Buffer.alloc(8 * mib, 1), Buffer.alloc(8 * mib, 2), Buffer.from("end")]],
  ["2.dat.zst", [Buffer.from("two")]],
] as const;

async function open(objects: PaperObjects): Promise<SegmentReader> {
  const stored = await readManifest(objects, prefix, pass);
  if (stored === null) throw new Error("there is no manifest");
  return new SegmentReader(objects, prefix, stored);
}

describe("what is stored", () => {
  test("comes back as it was, in whatever order it is read", async () => {
    const objects = new PaperObjects();
    const manifest = await store(objects, some);
    expect(checkManifest(manifest)).toBeNull();
    const reader = await open(objects);
    const files = [manifest.globals, ...(manifest.databases[0]?.files ?? [])].toReversed();
    const read = new Map<string, Buffer[]>();
    const ends: string[] = [];
    for await (const { bytes, isLast, name } of reader.parts(files)) {
      read.set(name, [...(read.get(name) ?? []), bytes]);
      if (isLast) ends.push(name);
    }
    expect(ends).toEqual(files.map(({ name }) => name));
    for (const [name, parts] of some) {
      expect(Buffer.concat(read.get(name) ?? []).equals(Buffer.concat([...parts])), name).toBe(true);
    }
  });

  test("shares objects where it is small, and is nowhere in the clear", async () => {
    const objects = new PaperObjects();
    const manifest = await store(objects, some);
    expect(manifest.objects).toHaveLength(3);
    for (const bytes of objects.kept.values()) expect(bytes.includes("CREATE ROLE")).toBe(false);
  });

  test("is on its way some objects at a time, and a try that S3 refuses comes to nothing", async () => {
    const objects = new PaperObjects();
    const many = Array.from({ length: 12 }, (_, index) => Buffer.alloc(8 * mib, index));
    await store(objects, [["globals.sql", many], ...some.slice(1)]);
    expect(objects.puttingMost).toBeGreaterThan(1);
    expect(objects.puttingMost).toBeLessThanOrEqual(4);
    objects.refusal = new Error("SlowDown");
    await expect(store(objects, some)).rejects.toThrow("SlowDown");
  });

  test("goes with everything below its prefix, and nothing beside it", async () => {
    const objects = new PaperObjects();
    await store(objects, some);
    objects.kept.set("clusters/clu_1/0/logical/bkp_2/manifest.json", Buffer.alloc(1));
    await removeBelow(objects, prefix);
    expect([...objects.kept.keys()]).toEqual(["clusters/clu_1/0/logical/bkp_2/manifest.json"]);
  });
});

describe("nothing is handed on of what", () => {
  async function readAll(objects: PaperObjects): Promise<void> {
    const reader = await open(objects);
    for (const file of reader.manifest.databases[0]?.files ?? []) await reader.read(file);
  }
  const damage = async (change: (objects: PaperObjects) => void): Promise<PaperObjects> => {
    const objects = new PaperObjects();
    await store(objects, some);
    change(objects);
    return objects;
  };
  const keyOf = (number: number) => objectKey(prefix, attempt, number);

  test.each<[string, (objects: PaperObjects) => void]>([
    [
      "has a byte that is another one",
      ({ kept }) => {
        const bytes = kept.get(keyOf(2)) ?? Buffer.alloc(0);
        bytes[1000] = (bytes[1000] ?? 0) ^ 1;
      },
    ],
    ["is shorter", ({ kept }) => kept.set(keyOf(2), (kept.get(keyOf(2)) ?? Buffer.alloc(0)).subarray(0, -1))],
    ["is not there", ({ kept }) => kept.delete(keyOf(2))],
  ])("%s", async (_what, change) => {
    const objects = await damage(change);
    await expect(readAll(objects)).rejects.toMatchObject({ code: "backup-damaged" });
  });

  test("was written with another pass, or is at another place than it was written for", async () => {
    const seal = sealOf();
    const stored = seal.close(Buffer.from("x"), { object: 1, offset: 0 });
    const segment = { object: 1, offset: 0, bytes: stored.length, sha256: sha256(stored) };
    expect(seal.open(stored, segment).toString()).toBe("x");
    const damaged = expect.objectContaining({ code: "backup-damaged" });
    expect(() => sealOf("another").open(stored, segment)).toThrow(damaged);
    expect(() => seal.open(stored, { ...segment, offset: 8 })).toThrow(damaged);
  });
});

describe("a manifest", () => {
  const change = async (to: (text: string) => string): Promise<PaperObjects> => {
    const objects = new PaperObjects();
    await store(objects, some);
    const key = `${prefix}manifest.json`;
    objects.kept.set(key, Buffer.from(to(objects.kept.get(key)?.toString() ?? "")));
    return objects;
  };

  test("that is not there makes no backup", async () => {
    const objects = new PaperObjects();
    await store(objects, some);
    objects.kept.delete(`${prefix}manifest.json`);
    expect(await readManifest(objects, prefix, pass)).toBeNull();
  });

  test.each<[string, (text: string) => string, string]>([
    ["of another cluster's pass", (text) => text, "another"],
    ["that somebody has changed", (text) => text.replace('"shard":0', '"shard":1'), pass],
    ["that is cut off", (text) => text.slice(0, -10), pass],
    ["of another format", (text) => text.replace('"format":1', '"format":2'), pass],
  ])("%s is none that anything is read by", async (_what, to, by) => {
    const objects = await change(to);
    await expect(readManifest(objects, prefix, by)).rejects.toMatchObject({ code: "backup-damaged" });
  });
});
