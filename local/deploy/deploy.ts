import type { SynthesizedStack } from "../../infra/build/synth.ts";
import type { Route } from "../gateway/routes.ts";
import type { TimerRule } from "../lambda/timers.ts";
import { storeAssets } from "./assets.ts";
import { type Deployed, resolve, type Scope } from "./intrinsics.ts";
import { ResourceRecords } from "./records.ts";
import { apiResources } from "./resources/api.ts";
import { dataResources } from "./resources/data.ts";
import { functionResources } from "./resources/functions.ts";
import { identityResources } from "./resources/identity.ts";
import { meaninglessResources } from "./resources/meaningless.ts";
import { networkResources } from "./resources/network.ts";
import type { AssetDirectories, Collected, DeployTargets, JwtAuthorizer, ResourceType } from "./targets.ts";
import { inOrder, readTemplate, type Template } from "./template.ts";

/** What the deployed stage asks of whoever serves it. */
export interface Deployment {
  readonly routes: readonly Route[];
  readonly rules: readonly TimerRule[];
  /** ARN of the key that a bucket's objects are encrypted with; null where that is one of AWS's own. */
  readonly keyOfBucket: (bucket: string) => string | null;
  /** Stack name and logical id → what the resource answers. */
  readonly resources: Readonly<Record<string, Deployed>>;
  /** Whose tokens the routes with a JWT authorizer take; null where no route has one. */
  readonly authorizer: JwtAuthorizer | null;
  /** Stack name and logical id of what is new, other than at the last deployment, or removed. */
  readonly changed: readonly string[];
}

const resourceTypes: Readonly<Record<string, ResourceType>> = {
  ...apiResources,
  ...dataResources,
  ...functionResources,
  ...identityResources,
  ...meaninglessResources,
  ...networkResources,
};

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
    authorizers: new Map(),
    bucketKeys: new Map(),
  };
  const resources: Record<string, Deployed> = {};
  const exports = new Map<string, string>();
  const records = new ResourceRecords(targets.documents);
  const changed: string[] = [];
  for (const { stack, template } of templates) {
    changed.push(
      ...(await deployStack(stack, template, { targets, collected, assets, exports, records, resources })),
    );
  }
  changed.push(...(await removeGone(records, targets)));
  return {
    routes: collected.routes,
    rules: collected.rules,
    keyOfBucket: (bucket) => collected.bucketKeys.get(bucket) ?? null,
    resources,
    authorizer: [...collected.authorizers.values()][0] ?? null,
    changed,
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

/** @returns the keys of what changed. */
async function deployStack(
  stack: SynthesizedStack,
  template: Template,
  work: {
    targets: DeployTargets;
    collected: Collected;
    assets: AssetDirectories;
    exports: Map<string, string>;
    records: ResourceRecords;
    resources: Record<string, Deployed>;
  },
): Promise<string[]> {
  const { targets, collected, assets, exports, records } = work;
  const changed: string[] = [];
  const resources = new Map<string, Deployed>();
  const scope: Scope = { ...targets, stackName: stack.name, resources, exports };
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
    work.resources[key] = deployed;
    const isChanged = records.put({
      key,
      type: resource.Type,
      properties,
      ref: deployed.ref,
      retain: resource.DeletionPolicy === "Retain",
      retainReplaced: resource.UpdateReplacePolicy === "Retain",
    });
    if (isChanged) changed.push(key);
  }
  for (const output of Object.values(template.Outputs)) {
    if (output.Export === undefined) continue;
    exports.set(String(resolve(output.Export.Name, scope)), String(resolve(output.Value, scope)));
  }
  return changed;
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

/** What an earlier deployment made and the template has no more. @returns the keys of what was removed. */
async function removeGone(records: ResourceRecords, targets: DeployTargets): Promise<string[]> {
  const removed: string[] = [];
  for (const { record, remove } of records.gone()) {
    if (remove) {
      try {
        await resourceTypes[record.type]?.remove?.(record.ref, targets);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`${record.key} (${record.type}) cannot be removed: ${reason}`, { cause: error });
      }
      removed.push(record.key);
    }
    records.forget(record);
  }
  return removed;
}
