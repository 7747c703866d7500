/** Numbers with PostgreSQL's units, as postgresql.conf reads them (guc.c: memory and time conversion tables). */

const memoryUnits = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const;
/** In milliseconds. */
const timeUnits = { us: 0.001, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const units: Record<string, { readonly size: number; readonly kind: "memory" | "time" }> = {};
for (const [unit, size] of Object.entries(memoryUnits)) units[unit] = { size, kind: "memory" };
for (const [unit, size] of Object.entries(timeUnits)) units[unit] = { size, kind: "time" };
units["8kB"] = { size: 8 * memoryUnits.kB, kind: "memory" };

const memoryUnitNames = Object.keys(memoryUnits);
const timeUnitNames = Object.keys(timeUnits);

/** A number, then perhaps a unit: `128MB`, `0.5 s`, `-1`. */
const quantityPattern = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*$/;

export type Quantity =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly reason: string };

function unitHelp(baseUnit: string | null): string {
  if (baseUnit === null) return "it takes a plain number without a unit";
  const names = units[baseUnit]?.kind === "time" ? timeUnitNames : memoryUnitNames;
  return `the units are ${names.join(", ")} (upper and lower case matter), and a plain number counts in ${baseUnit}`;
}

/** Reads `text` in multiples of `baseUnit` (pg_settings.unit; null: the parameter has no unit). */
export function parseQuantity(text: string, baseUnit: string | null): Quantity {
  const match = quantityPattern.exec(text);
  const digits = match?.[1];
  if (match === null || digits === undefined) {
    return { ok: false, reason: `"${text}" is not a number; ${unitHelp(baseUnit)}` };
  }
  const number = Number(digits);
  const unitName = match[2] ?? "";
  if (unitName === "") return { ok: true, value: number };
  const base = baseUnit === null ? undefined : units[baseUnit];
  const unit = units[unitName];
  if (base === undefined || unit === undefined || unit.kind !== base.kind || unitName === "8kB") {
    return { ok: false, reason: `"${text}" has a unit that does not fit; ${unitHelp(baseUnit)}` };
  }
  return { ok: true, value: (number * unit.size) / base.size };
}

/** In bytes, for parameters of a memory unit. */
export function bytesOf(value: number, baseUnit: string): number {
  return value * (units[baseUnit]?.size ?? 1);
}

/** The largest unit that divides `bytes`: 134217728 → `128MB`. */
export function formatMemory(bytes: number): string {
  for (const unit of ["GB", "MB", "kB"] as const) {
    const size = memoryUnits[unit];
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}
