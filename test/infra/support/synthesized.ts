import { readFile } from "node:fs/promises";
import { inject } from "vitest";
import { z } from "zod";
import { type Resource, type Stack, stackSchema } from "./synthesize.ts";

export { type Resource, type Stack, synthesizeStages, type Template } from "./synthesize.ts";

/** Every stage of the tree, synthesized once for all files of a run (setup.ts): each time takes half a minute. */
export async function synthesizeAll(): Promise<readonly Stack[]> {
  return z.array(stackSchema).parse(JSON.parse(await readFile(inject("synthesizedFile"), "utf8")));
}

export function resourcesOf(stack: Stack, type: string): readonly (Resource & { readonly id: string })[] {
  return Object.entries(stack.template.Resources)
    .filter(([, resource]) => resource.Type === type)
    .map(([id, resource]) => ({ ...resource, id }));
}

export function allResources(
  stacks: readonly Stack[],
  type: string,
): readonly (Resource & { readonly id: string; readonly stage: string })[] {
  return stacks.flatMap((stack) =>
    resourcesOf(stack, type).map((found) => ({ ...found, stage: stack.stage })),
  );
}

export function findStack(stacks: readonly Stack[], stage: string, name: string): Stack {
  const stack = stacks.find((candidate) => candidate.stage === stage && candidate.name === name);
  if (stack === undefined) {
    throw new Error(`the stage ${stage} has no stack ${name}`);
  }
  return stack;
}
