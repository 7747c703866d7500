import type { YamlMapping } from "./yaml.ts";

/** Patroni's own switch for maintenance, which pausing a cluster sets: no drift. */
export const foreignKeys: readonly string[] = ["pause"];

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Patroni writes numbers and booleans as it read them; what counts is what they mean. */
const sameScalar = (wanted: unknown, found: unknown): boolean => String(wanted) === String(found);

/**
 * Where what Patroni keeps in the DCS is another than it should be, as paths such as `postgresql.parameters.work_mem`.
 * Something that is there and unwanted is drift as much as something that is missing.
 */
export function dynamicDrift(wanted: YamlMapping, found: unknown): string[] {
  return differences(wanted, found, []).toSorted();
}

function differences(wanted: unknown, found: unknown, path: readonly string[]): string[] {
  if (isMapping(wanted) && isMapping(found)) {
    const keys = new Set([...Object.keys(wanted), ...Object.keys(found)]);
    return [...keys]
      .filter((key) => path.length > 0 || !foreignKeys.includes(key))
      .flatMap((key) => {
        const own = wanted[key];
        if (own === undefined) return [[...path, key].join(".")];
        return differences(own, found[key], [...path, key]);
      });
  }
  if (Array.isArray(wanted) || Array.isArray(found)) {
    return JSON.stringify(wanted) === JSON.stringify(found) ? [] : [path.join(".")];
  }
  return sameScalar(wanted, found) ? [] : [path.join(".")];
}
