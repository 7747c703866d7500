import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { z } from "zod";
import { build } from "../../../infra/build/build.ts";
import type { StageName } from "../../../infra/config/index.ts";
import type { EnvironmentConfig } from "../../../infra/config/schema.ts";
import { createApp } from "../../../infra/create-app.ts";

const resourceSchema = z.looseObject({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DeletionPolicy: z.string().optional(),
  UpdateReplacePolicy: z.string().optional(),
});
export type Resource = z.infer<typeof resourceSchema>;

const templateSchema = z.looseObject({ Resources: z.record(z.string(), resourceSchema) });
export type Template = z.infer<typeof templateSchema>;

export const stackSchema = z.object({
  /** The environment's name. */
  stage: z.string(),
  /** Data, Nodes, ControlPlane or Clusters. */
  name: z.string(),
  stackName: z.string(),
  terminationProtection: z.boolean(),
  template: templateSchema,
});
export type Stack = z.infer<typeof stackSchema>;

/** The variables that are read from the machine's own environment would make two machines' snapshots differ. */
const variables = {};

/** Builds the tree and synthesizes stages; fails where a rule of cdk-nag is broken and not acknowledged. */
export async function synthesizeStages(
  stages: readonly (StageName | EnvironmentConfig)[],
): Promise<readonly Stack[]> {
  const directory = await mkdtemp(path.join(tmpdir(), "pgherd-infra-"));
  try {
    return await synthesizeInto(directory, stages);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function synthesizeInto(
  directory: string,
  stages: readonly (StageName | EnvironmentConfig)[],
): Promise<readonly Stack[]> {
  const app = createApp({
    stages,
    build: await build({ directory: path.join(directory, "build") }),
    outDirectory: path.join(directory, "assembly"),
    variables,
  });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const assembly = app.synth();
  const names = stages.map((stage) => (typeof stage === "string" ? stage : stage.name));
  return names.flatMap((stage) =>
    assembly.getNestedAssembly(`assembly-${stage}`).stacksRecursively.map((stack) => ({
      stage,
      name: stack.hierarchicalId.split("/").at(-1) ?? "",
      stackName: stack.stackName,
      terminationProtection: stack.terminationProtection ?? false,
      template: templateSchema.parse(stack.template),
    })),
  );
}
