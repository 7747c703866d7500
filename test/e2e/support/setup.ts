import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { Environment } from "./environment.ts";
import { keepRecording } from "./recording.ts";

declare module "vitest" {
  interface ProvidedContext {
    stateDirectory: string;
    cacheDirectory: string;
    startOutput: string;
  }
}

/** Only `test/e2e/*.test.ts` use the cluster `demo`; elsewhere it would take a quarter of a processor. */
const withDemo = "e2e";

/**
 * One environment for all promises on real machines, made as the README says: `npm start`.
 * What a test breaks it heals, or it makes a cluster (or an environment) of its own.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "pgherd-e2e-"));
  const cacheDirectory = process.env["PGHERD_CACHE_DIR"] ?? "/var/cache/pgherd";
  const environment = new Environment(stateDirectory, cacheDirectory);
  const teardown = async () => {
    await environment.npm("destroy");
    await rm(stateDirectory, { recursive: true, force: true });
  };
  try {
    const startOutput = await environment.npm("start", ...(project.name === withDemo ? [] : ["--no-demo"]));
    project.provide("stateDirectory", stateDirectory);
    project.provide("cacheDirectory", cacheDirectory);
    project.provide("startOutput", startOutput);
  } catch (error) {
    await teardown();
    throw error;
  }
  return async () => {
    try {
      await keepRecording(stateDirectory, project.name);
    } finally {
      await teardown();
    }
  };
}
