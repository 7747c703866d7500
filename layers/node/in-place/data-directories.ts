import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { inPlacePaths, nodePaths, operationOfPath } from "../../domain/config/index.ts";

/** The member's data and what lies beside it, all on one volume: changing places is one rename. */

export const dataDirectory: string = nodePaths.postgresData;

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** A directory that a clone or a restore has begun to fill counts; an empty one is none. */
export async function hasContent(path: string): Promise<boolean> {
  return (await exists(path)) && (await readdir(path)).length > 0;
}

/** A machine that loses its power afterwards finds it moved. */
export async function move(from: string, to: string): Promise<void> {
  await rename(from, to);
  const parent = await open(dirname(to));
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/** The data itself has another name, and stays. */
export async function dropAside(keep: string | null): Promise<void> {
  for (const name of await readdir(nodePaths.postgresParent)) {
    const operationId = operationOfPath(name);
    if (operationId === null || operationId === keep) continue;
    await remove(join(nodePaths.postgresParent, name));
  }
}

/** @returns whether there was something to set aside, now or before */
export async function setAside(operationId: string): Promise<boolean> {
  const { aside } = inPlacePaths(operationId);
  if (await exists(aside)) return true;
  if (!(await hasContent(dataDirectory))) return false;
  await move(dataDirectory, aside);
  return true;
}
