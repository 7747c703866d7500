import { readFile } from "node:fs/promises";
import { z } from "zod";

/** What we read of a CloudFormation template. */
const resourceSchema = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DependsOn: z.union([z.string(), z.array(z.string())]).default([]),
  DeletionPolicy: z.string().optional(),
  UpdateReplacePolicy: z.string().optional(),
  /** Our templates hold what a stage needs and nothing else: making a conditional resource always would be wrong. */
  Condition: z.never("resources with a condition are not known here").optional(),
});
const templateSchema = z.object({
  Resources: z.record(z.string(), resourceSchema),
  Outputs: z
    .record(z.string(), z.object({ Value: z.unknown(), Export: z.object({ Name: z.unknown() }).optional() }))
    .default({}),
});
export type Template = z.infer<typeof templateSchema>;
export type Resource = z.infer<typeof resourceSchema>;

export async function readTemplate(path: string): Promise<Template> {
  return templateSchema.parse(JSON.parse(await readFile(path, "utf8")));
}

/** Logical ids so that everything comes after what it refers to. @throws for a circle. */
export function inOrder(resources: Readonly<Record<string, Resource>>): string[] {
  const order: string[] = [];
  const state = new Map<string, "visiting" | "done">();
  const visit = (logicalId: string, path: readonly string[]): void => {
    const resource = resources[logicalId];
    if (resource === undefined || state.get(logicalId) === "done") return;
    if (state.get(logicalId) === "visiting")
      throw new Error(
        `the template's resources depend on each other in a circle: ${[...path, logicalId].join(" → ")}`,
      );
    state.set(logicalId, "visiting");
    const dependsOn = typeof resource.DependsOn === "string" ? [resource.DependsOn] : resource.DependsOn;
    for (const other of [...dependsOn, ...references(resource.Properties)])
      visit(other, [...path, logicalId]);
    state.set(logicalId, "done");
    order.push(logicalId);
  };
  for (const logicalId of Object.keys(resources)) visit(logicalId, []);
  return order;
}

/** Logical ids that a value names; pseudo parameters and names that are no resource are left to the caller. */
function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === "Ref" && typeof inner === "string") return [inner];
    if (key === "Fn::GetAtt") return [String(Array.isArray(inner) ? inner[0] : String(inner).split(".")[0])];
    if (key === "Fn::Sub") return [...referencesOfSub(inner), ...references(inner)];
    return references(inner);
  });
}

function referencesOfSub(value: unknown): string[] {
  const text = String(Array.isArray(value) ? value[0] : value);
  return [...text.matchAll(/\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}/g)].map((match) => match[1] ?? "");
}
