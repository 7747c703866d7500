import type { SynthesizedStack } from "../../infra/build/synth.ts";
import type { Route } from "../gateway/routes.ts";
import type { TimerRule } from "../lambda/timers.ts";
import { storeAssets } from "./assets.ts";
import { type Deployed, resolve, type Scope } from "./intrinsics.ts";
import { apiResources } from "./resources/api.ts";
import { dataResources } from "./resources/data.ts";
import { functionResources } from "./resources/functions.ts";
import { identityResources } from "./resources/identity.ts";
import { meaninglessResources } from "./resources/meaningless.ts";
import { networkResources } from "./resources/network.ts";
import type { AssetDirectories, Collected, DeployTargets, ResourceType } from "./targets.ts";
import { inOrder, readTemplate, type Template } from "./template.ts";

/** What the deployed stage asks of whoever serves it. */
export interface Deployment {
  readonly routes: readonly Route[];
  readonly rules: readonly TimerRule[];
  /** Name or ARN of an instance profile → its role's name. */
  readonly roleOf: (instanceProfile: string) => string | null;
}

const resourceTypes: Readonly<Record<string, ResourceType>> = {
  ...apiResources,
  ...dataResources,
  ...functionResources,
  ...identityResources,
  ...meaninglessResources,
  ...networkResources,
};

interface RecordedResource {
  readonly key: string;
  readonly type: string;
  readonly ref: string;
  readonly retain: boolean;
}

/**
 * Carries out the templates of a stage. Everything is made so that making it again finds it, so a deployment that was
 * interrupted is completed by the next one, and one that changes nothing changes nothing.
 * @throws for a type that is not known, before anything is made.
 */
export async function deploy(
  stacks: readonly SynthesizedStack[],
  targets: DeployTargets,
): Promise<Deployment> {
  const templates = await Promise.all(
    stacks.map(async (stack) => ({ stack, template: await readTemplate(stack.template) })),
  );
  for (const { stack, template } of templates) refuseUnknownTypes(stack.name, template);

  const assets = await storeAssets(
    stacks.flatMap((stack) => stack.assets),
    targets,
  );
  const collected: Collected = {
    routes: [],
    rules: [],
    integrations: new Map(),
    instanceProfiles: new Map(),
  };
  const exports = new Map<string, string>();
  const made = new Set<string>();
  for (const { stack, template } of templates) {
    const resources = await deployStack(stack, template, { targets, collected, assets, exports });
    for (const logicalId of resources.keys()) made.add(`${stack.name}/${logicalId}`);
  }
  await removeGone(made, targets);
  return {
    routes: collected.routes,
    rules: collected.rules,
    roleOf: (instanceProfile) => collected.instanceProfiles.get(instanceProfile) ?? null,
  };
}

function refuseUnknownTypes(stackName: string, template: Template): void {
  for (const [logicalId, { Type }] of Object.entries(template.Resources)) {
    if (resourceTypes[Type] === undefined)
      throw new Error(
        `the stack ${stackName} has ${logicalId} of the type ${Type}, which this machine cannot make: add it to local/deploy/resources/, or to meaningless.ts there with the reason`,
      );
  }
}

async function deployStack(
  stack: SynthesizedStack,
  template: Template,
  work: {
    targets: DeployTargets;
    collected: Collected;
    assets: AssetDirectories;
    exports: Map<string, string>;
  },
): Promise<ReadonlyMap<string, Deployed>> {
  const { targets, collected, assets, exports } = work;
  const resources = new Map<string, Deployed>();
  const scope: Scope = { ...targets, stackName: stack.name, resources, exports };
  const recorded = targets.documents.collection<RecordedResource>("stack-resources");
  for (const logicalId of inOrder(template.Resources)) {
    const resource = template.Resources[logicalId];
    const type = resource === undefined ? undefined : resourceTypes[resource.Type];
    if (resource === undefined || type === undefined) continue;
    const key = `${stack.name}/${logicalId}`;
    const properties = resolve(resource.Properties, scope) as Readonly<Record<string, unknown>>;
    const deployed = await make(
      type,
      properties,
      { targets, collected, assets, key, logicalId },
      resource.Type,
    );
    resources.set(logicalId, deployed);
    const retain = resource.DeletionPolicy === "Retain";
    recorded.put(key, { key, type: resource.Type, ref: deployed.ref, retain });
  }
  for (const output of Object.values(template.Outputs)) {
    if (output.Export === undefined) continue;
    exports.set(String(resolve(output.Export.Name, scope)), String(resolve(output.Value, scope)));
  }
  return resources;
}

async function make(
  type: ResourceType,
  properties: Readonly<Record<string, unknown>>,
  context: Parameters<ResourceType["make"]>[1],
  typeName: string,
): Promise<Deployed> {
  try {
    return await type.make(properties, context);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${context.key} (${typeName}) cannot be deployed: ${reason}`, { cause: error });
  }
}

/** What an earlier deployment made and the template has no more. */
async function removeGone(made: ReadonlySet<string>, targets: DeployTargets): Promise<void> {
  const recorded = targets.documents.collection<RecordedResource>("stack-resources");
  for (const resource of recorded.list()) {
    if (made.has(resource.key)) continue;
    if (!resource.retain) await resourceTypes[resource.type]?.remove?.(resource.ref, targets);
    recorded.delete(resource.key);
  }
}
