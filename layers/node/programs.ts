import { readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";

/** Each has some four megabytes. What an older operation still asks for is fetched again. */
const keptMax = 3;
const suffix = ".cjs";

/** Removes all but the youngest programs from where the loader puts them, and what V8 kept of them; never `own`. */
export async function removeOldPrograms(directory: string, own: string): Promise<void> {
  const names = await readdir(directory);
  const programs = await Promise.all(
    names
      .filter((name) => name.endsWith(suffix))
      .map(async (name) => ({ name, at: (await stat(join(directory, name))).mtimeMs })),
  );
  const youngest = programs.toSorted((one, other) => other.at - one.at).slice(0, keptMax);
  const kept = new Set([basename(own), ...youngest.map(({ name }) => name)]);
  const old = programs.filter(({ name }) => !kept.has(name));
  const gone = names.filter((name) => old.some((program) => name.startsWith(program.name)));
  await Promise.all(gone.map((name) => rm(join(directory, name), { force: true })));
}
