import { z } from "zod";
import type { FieldError } from "../../domain/problems.ts";

type Issue = z.core.$ZodIssue;

/** What a format's name means to someone who has not read zod. */
const formats: Readonly<Record<string, string>> = {
  cidrv4: "must be an IPv4 network such as 10.0.0.0/16",
  datetime: "must be a time such as 2026-01-31T12:00:00Z",
};

const typeNames: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "an array",
  object: "an object",
  record: "an object",
  null: "null",
};

/** Every issue as a place and what would be right there. `locate` turns a path into the caller's notation. */
export function fieldErrors(
  error: z.ZodError,
  schema: z.ZodType,
  data: unknown,
  locate: (path: readonly PropertyKey[]) => string,
): FieldError[] {
  return error.issues.flatMap(asMeant).flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      const known = knownFields(schema, issue.path);
      return issue.keys.map((key) => ({
        path: locate([...issue.path, key]),
        message: known.length === 0 ? "is unknown here" : `is unknown here; known are ${known.join(", ")}`,
      }));
    }
    return [{ path: locate(issue.path), message: messageOf(issue, valueAt(data, issue.path)) }];
  });
}

/** Where one alternative alone is of the type that was said, that one was meant, and its mistakes are told. */
function asMeant(issue: Issue): readonly Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const ofType = issue.errors.filter((one) => !one.some(isOfAnotherType));
  const [meant] = ofType;
  if (meant === undefined || ofType.length > 1) return [issue];
  return meant.flatMap((one) => asMeant({ ...one, path: [...issue.path, ...one.path] }));
}

const isOfAnotherType = ({ code, path }: Issue): boolean =>
  path.length === 0 && (code === "invalid_type" || code === "invalid_value");

/** RFC 6901 */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function messageOf(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return mustBe(typeNames[issue.expected] ?? issue.expected, value);
    case "invalid_value":
      return mustBe(oneOf(issue.values), value);
    case "invalid_union":
      return mustBe(alternatives(issue.errors), value);
    case "too_small":
      return sizeMessage(issue.origin, "at least", issue.minimum);
    case "too_big":
      return sizeMessage(issue.origin, "at most", issue.maximum);
    case "invalid_format":
      return formats[issue.format] ?? issue.message;
    case "invalid_key":
      return `has a name that is not allowed: ${issue.issues.map((one) => messageOf(one, undefined)).join("; ")}`;
    default:
      return issue.message;
  }
}

function mustBe(expected: string, value: unknown): string {
  return value === undefined
    ? `is required and must be ${expected}`
    : `must be ${expected}, not ${kindOf(value)}`;
}

function sizeMessage(origin: string, bound: string, limit: number | bigint): string {
  const count = (one: string, many: string) =>
    `must have ${bound} ${limit} ${Number(limit) === 1 ? one : many}`;
  if (origin === "string") return count("character", "characters");
  if (origin === "array" || origin === "set") return count("entry", "entries");
  return `must be ${bound} ${limit}`;
}

function oneOf(values: readonly unknown[]): string {
  const written = values.map((value) => JSON.stringify(value));
  return written.length === 1 ? (written[0] ?? "") : `one of ${written.join(", ")}`;
}

/** The branches of a union are types or values; deeper mistakes inside a branch are not told apart. */
function alternatives(branches: readonly (readonly Issue[])[]): string {
  const values: unknown[] = [];
  const types: string[] = [];
  for (const issue of branches.flat()) {
    if (issue.code === "invalid_value") values.push(...issue.values);
    if (issue.code === "invalid_type") types.push(typeNames[issue.expected] ?? issue.expected);
  }
  const parts = [...(values.length > 0 ? [oneOf(values)] : []), ...new Set(types)];
  return parts.join(" or ");
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  const written = JSON.stringify(value);
  return written.length > 40 ? `a ${typeof value}` : written;
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

function knownFields(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = unwrap(schema);
  for (const key of path) {
    if (!(at instanceof z.ZodObject)) return [];
    at = unwrap(at.shape[String(key)]);
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodUnion) {
    const objects = schema.options.filter((one) => one instanceof z.ZodObject);
    return objects.length === 1 ? objects[0] : schema;
  }
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable
    ? unwrap(schema.unwrap())
    : schema;
}
