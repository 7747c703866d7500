import type { Plugin } from "esbuild";

/**
 * zod re-exports its messages in some fifty languages, which no bundler can drop: 267 KB of 470 KB.
 * We use the English ones, which zod imports by their own path.
 */
export const withoutZodLocales: Plugin = {
  name: "without-zod-locales",
  setup(build) {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
      loader: "js",
    }));
  },
};
