import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

/** In bytes of 470 KB: messages in fifty languages 267, the compiler 47, the reader of JSON schemas 18. */
const left: readonly (readonly [file: RegExp, without: RegExp])[] = [
  [/[\\/]zod[\\/]v4[\\/]core[\\/]index\.js$/, /^export \* from "\.\/compile\.js";$/gm],
  [
    /[\\/]zod[\\/]v4[\\/]classic[\\/]external\.js$/,
    /^export \* as core from .*$|^export \{ fromJSONSchema \} from .*$|\b(?:compile|withParser|INVALID|ZodCompile\w+Error), /gm,
  ],
];

/**
 * zod hands on all that it has in one object, `z`, of which no bundler can drop anything. Here it is without what
 * nobody uses. Of the messages we use the English ones, which zod imports by their own path.
 */
export const leanZod: Plugin = {
  name: "lean-zod",
  setup(build) {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
      loader: "js",
    }));
    for (const [filter, without] of left) {
      build.onLoad({ filter }, async ({ path }) => ({
        contents: (await readFile(path, "utf8")).replaceAll(without, ""),
        loader: "js",
      }));
    }
  },
};
