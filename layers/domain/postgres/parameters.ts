import { refusalOf, sharedParameters } from "./parameter-rules.ts";
import { checkText } from "./parameter-texts.ts";
import rows from "./parameters-17.json" with { type: "json" };
import { parseQuantity } from "./quantity.ts";

/** A parameter as PostgreSQL 17's own pg_settings describes it. */
export interface Parameter {
  readonly name: string;
  readonly type: "bool" | "integer" | "real" | "enum" | "string";
  /** `postmaster` takes a restart, `sighup` a reload, the others can also be set per session. */
  readonly context: string;
  readonly unit: string | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly values: readonly string[];
}

export type ParameterValue = string | number | boolean;

/** What a value came to: PostgreSQL's text for it, and its number in the parameter's base unit where it has one. */
export type CheckedValue =
  | {
      readonly ok: true;
      readonly parameter: Parameter;
      readonly text: string;
      readonly number: number | null;
    }
  | { readonly ok: false; readonly message: string };

const types = ["bool", "integer", "real", "enum", "string"] as const;

function typeOf(value: unknown): Parameter["type"] {
  const type = types.find((known) => known === value);
  if (type === undefined) throw new Error(`parameters-17.json has the unknown type ${String(value)}`);
  return type;
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function numberOrNull(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

function parameterOf(row: readonly unknown[]): Parameter {
  const [name, type, context, unit, min, max, values] = row;
  return {
    name: String(name),
    type: typeOf(type),
    context: String(context),
    unit: textOrNull(unit),
    min: numberOrNull(min),
    max: numberOrNull(max),
    values: Array.isArray(values) ? values.map(String) : [],
  };
}

/** By lower-case name: PostgreSQL does not tell `TimeZone` from `timezone`. */
let catalogue: ReadonlyMap<string, Parameter> | undefined;

function parameters(): ReadonlyMap<string, Parameter> {
  catalogue ??= new Map(rows.map(parameterOf).map((parameter) => [parameter.name.toLowerCase(), parameter]));
  return catalogue;
}

export function findParameter(name: string): Parameter | undefined {
  return parameters().get(name.toLowerCase());
}

/** One wrong letter in so many is a slip of the keyboard; more is another word. */
const lettersPerSlip = 4;

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

function unknownName(name: string): string {
  const slips = Math.floor(name.length / lettersPerSlip);
  let nearest: { name: string; distance: number } | undefined;
  for (const [lower, parameter] of parameters()) {
    const distance = editDistance(name.toLowerCase(), lower);
    if (distance < (nearest?.distance ?? slips + 1)) nearest = { name: parameter.name, distance };
  }
  const hint = nearest === undefined ? "" : `; did you mean ${nearest.name}?`;
  return `"${name}" is not a parameter of PostgreSQL 17 or of an extension in the node image${hint}`;
}

const truths = new Map([
  ["on", "on"],
  ["true", "on"],
  ["yes", "on"],
  ["1", "on"],
  ["off", "off"],
  ["false", "off"],
  ["no", "off"],
  ["0", "off"],
]);

function checkBoolean(parameter: Parameter, value: ParameterValue): CheckedValue {
  const text = truths.get(String(value).toLowerCase());
  if (text === undefined) return { ok: false, message: `"${value}" is not true or false (on or off)` };
  return { ok: true, parameter, text, number: null };
}

function checkEnum(parameter: Parameter, value: ParameterValue): CheckedValue {
  const wanted = typeof value === "boolean" ? (value ? "on" : "off") : String(value).toLowerCase();
  const text = parameter.values.find((known) => known.toLowerCase() === wanted);
  if (text === undefined) {
    return { ok: false, message: `"${value}" is not one of ${parameter.values.join(", ")}` };
  }
  return { ok: true, parameter, text, number: null };
}

function range(parameter: Parameter, least: number): string {
  const unit = parameter.unit === null ? "" : ` (in units of ${parameter.unit})`;
  return `from ${least} to ${parameter.max}${unit}`;
}

function checkNumber(parameter: Parameter, value: ParameterValue): CheckedValue {
  if (typeof value === "boolean") {
    return {
      ok: false,
      message: `${value} is not a number; allowed is ${range(parameter, parameter.min ?? 0)}`,
    };
  }
  const quantity = parseQuantity(String(value), parameter.unit);
  if (!quantity.ok) return { ok: false, message: quantity.reason };
  const whole = parameter.type === "integer";
  if (whole && parameter.unit === null && !Number.isInteger(quantity.value)) {
    return { ok: false, message: `${value} is not a whole number` };
  }
  // PostgreSQL rounds to the parameter's unit before it compares.
  const number = whole ? Math.round(quantity.value) : quantity.value;
  const least = Math.max(
    parameter.min ?? Number.NEGATIVE_INFINITY,
    sharedParameters[parameter.name]?.least ?? Number.NEGATIVE_INFINITY,
  );
  if (number < least || number > (parameter.max ?? Number.POSITIVE_INFINITY)) {
    return { ok: false, message: `${value} is out of range; allowed is ${range(parameter, least)}` };
  }
  return { ok: true, parameter, text: String(value).trim(), number };
}

function checkString(parameter: Parameter, value: ParameterValue): CheckedValue {
  if (typeof value !== "string") return { ok: false, message: `${value} is not a string` };
  const wrong = checkText(parameter.name, value);
  return wrong === null ? { ok: true, parameter, text: value, number: null } : { ok: false, message: wrong };
}

/** Whether a spec may set the parameter to the value; the message says what would be right. */
export function checkParameter(name: string, value: ParameterValue): CheckedValue {
  const parameter = findParameter(name);
  if (parameter === undefined) return { ok: false, message: unknownName(name) };
  const refusal = refusalOf(parameter.name, parameter.context);
  if (refusal !== null) return { ok: false, message: `${parameter.name} cannot be set: ${refusal}` };
  const checked = checkType(parameter, value);
  return checked.ok ? checked : { ok: false, message: `${parameter.name}: ${checked.message}` };
}

function checkType(parameter: Parameter, value: ParameterValue): CheckedValue {
  switch (parameter.type) {
    case "bool":
      return checkBoolean(parameter, value);
    case "enum":
      return checkEnum(parameter, value);
    case "integer":
    case "real":
      return checkNumber(parameter, value);
    case "string":
      return checkString(parameter, value);
  }
}
