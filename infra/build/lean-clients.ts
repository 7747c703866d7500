import { readFile } from "node:fs/promises";
import type { OnResolveArgs, Plugin } from "esbuild";
import { z } from "zod";

const packageSchema = z.object({ version: z.string() });
const plainProcess = "pgherd-process";
const used = "pgherd-used-of-client";

/**
 * - Of a client's package.json nothing is read but the version.
 * - As an ES module `node:process` reads every property of `process`, and so opens standard input and output: as long as
 *   a client of its own takes. What it is imported for stands in the object that is there anyway.
 * - The durable execution SDK imports Lambda's client when it is first needed, by `import()`, of which a bundler keeps
 *   everything: 100 KB in whatever starts an operation. What the SDK takes from it is in its source: `module.<name>`.
 */
export const leanClients: Plugin = {
  name: "lean-clients",
  setup(build) {
    build.onLoad({ filter: /[\\/]@aws-sdk[\\/]client-[\w-]+[\\/]package\.json$/ }, async ({ path }) => ({
      contents: JSON.stringify(packageSchema.parse(JSON.parse(await readFile(path, "utf8")))),
      loader: "json",
    }));
    build.onResolve({ filter: /^node:process$/ }, ({ path }) => ({ path, namespace: plainProcess }));
    build.onLoad({ filter: /./, namespace: plainProcess }, () => ({
      contents: "export const { env, versions } = process;",
    }));
    build.onResolve({ filter: /^@aws-sdk\/client-lambda$/ }, ({ path, kind, importer, resolveDir }) =>
      kind === "dynamic-import" ? { path, namespace: used, pluginData: { importer, resolveDir } } : undefined,
    );
    build.onLoad({ filter: /./, namespace: used }, async ({ path, pluginData }) => {
      const { importer, resolveDir }: Pick<OnResolveArgs, "importer" | "resolveDir"> = pluginData;
      const names = takenFromModule(await readFile(importer, "utf8"));
      return { contents: `export { ${names.join(", ")} } from "${path}";`, resolveDir };
    });
  },
};

/** @throws where the source is not as expected: a client without what it is asked for would fail in the field. */
export function takenFromModule(source: string): readonly string[] {
  const names = [
    ...new Set([...source.matchAll(/\bnew module\.(\w+)\(/g)].flatMap(([, name]) => name ?? [])),
  ];
  const mentioned = source.match(/\bmodule\.[A-Z]/g)?.length;
  const made = source.match(/\bnew module\.[A-Z]/g)?.length;
  if (names.length === 0 || mentioned !== made) throw new Error("what is taken of `module` cannot be told");
  return names;
}
