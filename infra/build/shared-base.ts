import type { OnResolveResult, Plugin } from "esbuild";

/** Namespaces, and what modules in them import each other by. */
const base = "pgherd-base";
const behind = "pgherd-behind-base";

/**
 * Puts what every function loads into one file of the layer. esbuild makes a chunk for each set of entry points that
 * share something, some sixty of them, and finding and linking one takes Node.js a third of a millisecond. Here every
 * entry point imports the same modules first, so that these have one set: all of them.
 */
export const sharedBase = (modules: readonly string[]): Plugin => ({
  name: "shared-base",
  setup(build) {
    const asked = Symbol("asked");
    build.onResolve({ filter: /./ }, async ({ path, kind, pluginData, ...from }) => {
      const isEntry = kind === "entry-point" || kind === "dynamic-import";
      if (!isEntry || pluginData === asked) return undefined;
      const found = await build.resolve(path, { kind, ...from, pluginData: asked });
      return found.external || found.errors.length > 0
        ? found
        : { path: found.path, namespace: behind, pluginData: found };
    });
    build.onLoad({ filter: /./, namespace: behind }, ({ pluginData }) => ({
      contents: `import "${base}";\nexport * from "${behind}";`,
      pluginData,
    }));
    build.onResolve({ filter: new RegExp(`^${behind}$`) }, ({ pluginData }): OnResolveResult => {
      const { path, namespace, sideEffects, pluginData: own } = pluginData;
      return { path, namespace, sideEffects, pluginData: own };
    });
    build.onResolve({ filter: new RegExp(`^${base}$`) }, () => ({ path: base, namespace: base }));
    build.onLoad({ filter: /./, namespace: base }, () => ({
      contents: modules.map((module) => `import ${JSON.stringify(module)};`).join("\n"),
      resolveDir: "/",
    }));
  },
});
