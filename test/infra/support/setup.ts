import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { stageNames } from "../../../infra/config/index.ts";
import { synthesizeStages } from "./synthesize.ts";

declare module "vitest" {
  interface ProvidedContext {
    synthesizedFile: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "pgherd-synthesized-"));
  const teardown = () => rm(directory, { recursive: true, force: true });
  try {
    const file = join(directory, "stacks.json");
    await writeFile(file, JSON.stringify(await synthesizeStages(stageNames)));
    project.provide("synthesizedFile", file);
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}
