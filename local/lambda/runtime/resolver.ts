import { isBuiltin, registerHooks } from "node:module";
import { join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * Resolves bare imports as Lambda does: from the layers' `/opt/nodejs/node_modules`, then from the function's own
 * asset, and for the AWS SDK from the runtime. Nothing else is found, even when a `node_modules` folder stands above
 * the asset on this machine: what would be missing on AWS is missing here.
 */
export function installResolver(places: {
  taskRoot: string;
  layerModules: readonly string[];
  /** Folder whose `node_modules` holds what Lambda's runtime brings along; empty: none. */
  runtimeModules: string;
}): void {
  const layers = places.layerModules.map((folder) => pathToFileURL(join(folder, "index.mjs")).href);
  const runtime =
    places.runtimeModules === "" ? null : pathToFileURL(join(places.runtimeModules, "index.mjs")).href;
  const within = [
    places.taskRoot,
    ...places.layerModules.map((folder) => folder.replace(/\/node_modules$/, "")),
  ];

  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (isBuiltin(specifier) || /^(?:[./#]|[a-z]+:)/.test(specifier))
        return nextResolve(specifier, context);
      // The SDK of the runtime resolves its own parts.
      if (
        runtime !== null &&
        context.parentURL !== undefined &&
        isInside(context.parentURL, [places.runtimeModules])
      ) {
        if (!isInside(context.parentURL, within)) return nextResolve(specifier, context);
      }
      const parents = [...layers, context.parentURL];
      if (runtime !== null && /^@(?:aws-sdk|smithy|aws-crypto)\//.test(specifier)) parents.push(runtime);
      let failure: unknown;
      for (const parentURL of parents) {
        try {
          const found = nextResolve(specifier, { ...context, parentURL });
          if (parentURL === runtime || isInside(found.url, within)) return found;
        } catch (error) {
          if (!isMissing(error)) throw error;
          failure = error;
        }
      }
      throw failure instanceof Error
        ? failure
        : Object.assign(new Error(`Cannot find package '${specifier}' in the function or its layers`), {
            code: "ERR_MODULE_NOT_FOUND",
          });
    },
  });
}

function isInside(url: string, folders: readonly string[]): boolean {
  if (!url.startsWith("file:")) return true;
  const path = fileURLToPath(url);
  return folders.some((folder) => folder !== "" && path.startsWith(folder + sep));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
}
