import type { ClusterSpec } from "../cluster/spec.ts";
import { foreignKeys } from "./dynamic-drift.ts";
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

/** What must be sent for `wanted` to hold and nothing beside it: drift is counted the same way. */
function patchOf(current: unknown, wanted: JsonObject, foreign: readonly string[] = []): JsonObject {
  const known = isObject(current) ? current : {};
  const gone = Object.keys(known).filter(
    (key) => !(key in wanted) && !foreign.includes(key) && known[key] !== null,
  );
  const patch: Record<string, Json> = Object.fromEntries(gone.map((key) => [key, null]));
  for (const [key, value] of Object.entries(wanted)) {
    if (!isObject(value)) {
      if (!same(known[key], value)) patch[key] = value;
      continue;
    }
    const nested = patchOf(known[key], value);
    if (Object.keys(nested).length > 0) patch[key] = nested;
  }
  return patch;
}

/**
 * The body of `PATCH /config` that takes Patroni's dynamic configuration (`GET /config`) to what the spec wants; null
 * where it is so already. Every member follows within a loop and without a restart, but for PostgreSQL parameters
 * that need one.
 * @param synchronousNodes that many standbys are synchronous, for as long as nobody applies the configuration without
 */
export function dynamicConfigurationPatch(
  current: unknown,
  spec: ClusterSpec,
  synchronousNodes: number | null = null,
): JsonObject | null {
  // Rendered for YAML, which is JSON here: mappings, lists and scalars.
  const rendered: JsonObject = JSON.parse(JSON.stringify(dynamicConfiguration(spec)));
  const wanted: JsonObject =
    synchronousNodes === null ? rendered : { ...rendered, synchronous_node_count: synchronousNodes };
  const patch = patchOf(current, wanted, foreignKeys);
  return Object.keys(patch).length === 0 ? null : patch;
}
