import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

/**
 * AWS's clients describe every shape of their service in one file, EC2's in 1.3 MB. A bundler drops what nobody uses,
 * unless an object has a computed key (`{ [_xN]: _IId }`), which it must take for a call; then all is kept. The keys
 * are constants of the same file, so each is written as what it stands for.
 */
export const leanSchemas: Plugin = {
  name: "lean-schemas",
  setup(build) {
    const schemas = /[\\/]@aws-sdk[\\/]client-[\w-]+[\\/]dist-es[\\/]schemas[\\/]schemas_\d+\.js$/;
    build.onLoad({ filter: schemas }, async ({ path }) => ({
      contents: withPlainKeys(await readFile(path, "utf8")),
      loader: "js",
    }));
  },
};

export function withPlainKeys(source: string): string {
  const constants = new Map(
    [...source.matchAll(/^const (\w+) = ("[^"\\\n]*");$/gm)].map(([, name, value]) => [name, value]),
  );
  return source.replaceAll(/([{,]\s*)\[(\w+)\]:/g, (text, before: string, name: string) => {
    const value = constants.get(name);
    return value === undefined ? text : `${before}${value}:`;
  });
}
