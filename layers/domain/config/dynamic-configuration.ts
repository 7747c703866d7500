import type { ClusterSpec } from "../cluster/spec.ts";
import { dynamicConfiguration } from "./patroni.ts";

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function same(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

/** PostgreSQL's parameters are all ours: what the spec no longer has, goes. */
function parametersPatch(current: unknown, wanted: JsonObject): JsonObject {
  const kept = isObject(current) ? current : {};
  const gone = Object.keys(kept).filter((name) => !(name in wanted) && kept[name] !== null);
  const changed = Object.entries(wanted).filter(([name, value]) => !same(kept[name], value));
  return Object.fromEntries([...gone.map((name): [string, null] => [name, null]), ...changed]);
}

/** What must be sent for `wanted` to hold; keys that only `current` has are somebody else's (Patroni's own, pause). */
function patchOf(current: unknown, wanted: JsonObject): JsonObject {
  const known = isObject(current) ? current : {};
  const patch: Record<string, Json> = {};
  for (const [key, value] of Object.entries(wanted)) {
    if (!isObject(value)) {
      if (!same(known[key], value)) patch[key] = value;
      continue;
    }
    const nested = key === "parameters" ? parametersPatch(known[key], value) : patchOf(known[key], value);
    if (Object.keys(nested).length > 0) patch[key] = nested;
  }
  return patch;
}

/**
 * The body of `PATCH /config` that takes Patroni's dynamic configuration (`GET /config`) to what the spec wants; null
 * where it is so already. Every member follows within a loop and without a restart, but for PostgreSQL parameters
 * that need one.
 */
export function dynamicConfigurationPatch(current: unknown, spec: ClusterSpec): JsonObject | null {
  // Rendered for YAML, which is JSON here: mappings, lists and scalars.
  const wanted: JsonObject = JSON.parse(JSON.stringify(dynamicConfiguration(spec)));
  const patch = patchOf(current, wanted);
  return Object.keys(patch).length === 0 ? null : patch;
}
