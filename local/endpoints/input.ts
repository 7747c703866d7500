import { ServiceError } from "./service.ts";

/** Reads members of a call's input; what has another shape is refused as AWS refuses it. */
type Input = Readonly<Record<string, unknown>>;

export function requiredText(input: Input, name: string): string {
  const value = optionalText(input, name);
  if (value === null || value === "") {
    throw new ServiceError(
      "ValidationException",
      `Value at '${name}' failed to satisfy constraint: Member must not be null`,
    );
  }
  return value;
}

export function optionalText(input: Input, name: string): string | null {
  const value = input[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== "string") throw wrongShape(name, "a string");
  return value;
}

export function optionalNumber(
  input: Input,
  name: string,
  range: { min: number; max: number },
): number | null {
  const value = input[name];
  if (value === undefined || value === null) return null;
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number)) throw wrongShape(name, "an integer");
  if (number < range.min || number > range.max) {
    throw new ServiceError(
      "ValidationException",
      `Value '${number}' at '${name}' failed to satisfy constraint: Member must be between ${range.min} and ${range.max}`,
    );
  }
  return number;
}

export function optionalFlag(input: Input, name: string): boolean {
  const value = input[name];
  if (value === undefined || value === null) return false;
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw wrongShape(name, "a boolean");
}

export function textList(input: Input, name: string): readonly string[] {
  const value = input[name];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw wrongShape(name, "a list of strings");
  }
  return value;
}

export function objectList(input: Input, name: string): readonly Input[] {
  const value = input[name];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every(isObject)) throw wrongShape(name, "a list of structures");
  return value;
}

export function optionalObject(input: Input, name: string): Input {
  const value = input[name];
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw wrongShape(name, "a structure");
  return value;
}

export function isObject(value: unknown): value is Input {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One page of a list; the token is the place in it. */
export function page<T>(
  items: readonly T[],
  input: Input,
  size: { default: number; max: number },
): { items: readonly T[]; next: { NextToken?: string } } {
  const limit = optionalNumber(input, "MaxResults", { min: 1, max: size.max }) ?? size.default;
  const token = optionalText(input, "NextToken");
  const start = token === null ? 0 : Number(token);
  if (!Number.isInteger(start) || start < 0) {
    throw new ServiceError("InvalidNextToken", "The specified token isn't valid.");
  }
  const end = start + limit;
  return { items: items.slice(start, end), next: end < items.length ? { NextToken: String(end) } : {} };
}

function wrongShape(name: string, expected: string): ServiceError {
  return new ServiceError("SerializationException", `${name} must be ${expected}`);
}
