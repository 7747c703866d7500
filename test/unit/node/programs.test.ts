import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeOldPrograms } from "../../../layers/node/programs.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-programs-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** The later in the list, the younger; each with what V8 has kept of it. */
async function fetched(...names: readonly string[]): Promise<void> {
  for (const [index, name] of names.entries()) {
    for (const file of [`${name}.cjs`, `${name}.cjs.v20.cache`]) {
      await writeFile(join(directory, file), "");
      await utimes(join(directory, file), index, index);
    }
  }
}

const left = async (): Promise<string[]> =>
  (await readdir(directory)).filter((name) => name.endsWith(".cjs")).toSorted();

test("the three youngest programs stay, with what belongs to them", async () => {
  await fetched("a", "b", "c", "d", "e");
  await removeOldPrograms(directory, join(directory, "e.cjs"));
  expect(await left()).toEqual(["c.cjs", "d.cjs", "e.cjs"]);
  expect(await readdir(directory)).toHaveLength(6);
});

test("the node's own program stays, however old it is", async () => {
  await fetched("own", "b", "c", "d", "e");
  await removeOldPrograms(directory, join(directory, "own.cjs"));
  expect(await left()).toEqual(["c.cjs", "d.cjs", "e.cjs", "own.cjs"]);
});

test("what is no program is left alone", async () => {
  await fetched("a", "b", "c", "d");
  await writeFile(join(directory, "notes"), "");
  await removeOldPrograms(directory, join(directory, "d.cjs"));
  expect(await readdir(directory)).toContain("notes");
});
