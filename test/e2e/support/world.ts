import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { inject } from "vitest";
import { Api } from "./api.ts";
import { Environment } from "./environment.ts";

/** The environment that setup.ts started. */
export const environment = new Environment(inject("stateDirectory"), inject("cacheDirectory"));
export const api = new Api(environment);

/** What the machines' links are attached to on this host. */
export async function bridgeOf(of: Environment): Promise<string> {
  const settings = JSON.parse(await readFile(join(of.stateDirectory, "settings.json"), "utf8")) as {
    bridge: string;
  };
  return settings.bridge;
}
