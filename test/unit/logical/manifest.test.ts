import { describe, expect, test } from "vitest";
import {
  checkManifest,
  factsOf,
  logicalPrefix,
  type Manifest,
  manifestKey,
  manifestSchema,
  objectKey,
} from "../../../layers/domain/index.ts";
import { manifestOf } from "./support/manifests.ts";

describe("a manifest", () => {
  test("in which everything fits is what it says", () => {
    const manifest = manifestOf();
    expect(manifestSchema.parse(JSON.parse(JSON.stringify(manifest)))).toEqual(manifest);
    expect(checkManifest(manifest)).toBeNull();
    expect(factsOf(manifest)).toEqual({
      label: manifest.attempt,
      startedAt: manifest.startedAt,
      endedAt: manifest.endedAt,
      sizeBytes: 3000,
      repositoryBytes: 376,
      postgresVersion: "17.5",
      databases: ["app", "postgres"],
    });
  });

  const [app, postgres] = manifestOf().databases;
  const [first, second] = app?.files ?? [];
  const appWith = (files: unknown[]): Partial<Manifest> =>
    ({ databases: [{ ...app, files }, postgres] }) as Partial<Manifest>;

  test.each<[string, Partial<Manifest>, RegExp]>([
    ["a database twice", { databases: [app, app] } as Partial<Manifest>, /"app" is in it twice/],
    ["a file twice", appWith([first, first, second]), /file toc\.dat is in it twice/],
    ["no table of contents", appWith([second]), /"app" has no toc\.dat/],
    ["a file of another size than its segments", appWith([{ ...first, bytes: 5 }, second]), /has 5 bytes/],
    ["a file left out", appWith([first]), /object 1 does not have/],
    ["an object of another size than its segments", { objects: [250, 125] }, /object 1 does not have/],
    ["an object that nobody speaks of", { objects: [251, 125, 20] }, /object 3 does not have/],
  ])("with %s is refused", (_what, change, complaint) => {
    expect(checkManifest({ ...manifestOf(), ...change })).toMatch(complaint);
  });

  test.each(["../toc.dat", "a/b.dat", "", "toc", ".dat", "a b.dat"])(
    "takes no file that is called %j",
    (name) => {
      const changed = { ...manifestOf(), globals: { name, bytes: 0, segments: [] } };
      expect(manifestSchema.safeParse(changed).success).toBe(false);
    },
  );
});

test("everything of a backup is below its cluster's prefix, and of each try below its own", () => {
  const { attempt, backupId, clusterId } = manifestOf();
  const prefix = logicalPrefix({ prefix: `/clusters/${clusterId}/0` }, backupId);
  expect(prefix).toBe(`clusters/${clusterId}/0/logical/${backupId}/`);
  expect(manifestKey(prefix)).toBe(`${prefix}manifest.json`);
  expect(objectKey(prefix, attempt, 12)).toBe(`${prefix}${attempt}/00000012`);
});
