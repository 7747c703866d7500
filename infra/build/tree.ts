import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";

export type FunctionKind = "api" | "workflow" | "reconciler" | "schedule" | "resource";

/** A function as the tree shows it: its place says what invokes it, its file name is its name. */
export interface FunctionSource {
  readonly name: string;
  readonly kind: FunctionKind;
  /** Relative to the root of the repository. */
  readonly entry: string;
}

const foldersOfKind = {
  workflow: "workflows",
  reconciler: "reconcilers",
  schedule: "schedules",
  resource: "resources",
} as const;

/** What makes a file a function; files beside it that have none are parts of it. */
const handlerPattern = /^export const handler\b/m;

/**
 * Finds every function by its place: `functions/api/index.ts`, `functions/{workflows,reconcilers,schedules,resources}/
 * <name>.ts` with a `handler`.
 */
export async function discoverFunctions(root: string): Promise<readonly FunctionSource[]> {
  const found: FunctionSource[] = [];
  if ((await listFiles(path.join(root, "functions/api"))).includes("index.ts")) {
    found.push({ name: "api", kind: "api", entry: "functions/api/index.ts" });
  }
  for (const [kind, folder] of typedEntries(foldersOfKind)) {
    for (const file of await listFiles(path.join(root, "functions", folder))) {
      const entry = `functions/${folder}/${file}`;
      if (file.endsWith(".ts") && handlerPattern.test(await readFile(path.join(root, entry), "utf8"))) {
        found.push({ name: path.basename(file, ".ts"), kind, entry });
      }
    }
  }
  return found;
}

const layersPackageSchema = z.object({ version: z.string(), exports: z.record(z.string(), z.string()) });
export type LayersPackage = z.infer<typeof layersPackageSchema>;

/** The layer's entry points: what `layers/package.json` exports. */
export async function readLayersPackage(root: string): Promise<LayersPackage> {
  return layersPackageSchema.parse(
    JSON.parse(await readFile(path.join(root, "layers/package.json"), "utf8")),
  );
}

async function listFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return [];
    }
    throw error;
  });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}

function typedEntries<K extends string, V>(record: Readonly<Record<K, V>>): readonly (readonly [K, V])[] {
  return Object.entries(record) as [K, V][];
}
