import { isObject } from "../input.ts";
import { ServiceError } from "../service.ts";
import { invalidValue, missingParameter } from "./errors.ts";

/** Reads the parameters of a call; what has another shape is refused as EC2 refuses it. All leaves are text. */
export type Input = Readonly<Record<string, unknown>>;

export function text(input: Input, name: string): string | null {
  const value = input[name];
  if (value === undefined || value === "") return null;
  if (typeof value !== "string") throw invalidValue(name, "a structure");
  return value;
}

export function requiredText(input: Input, name: string): string {
  const value = text(input, name);
  if (value === null) throw missingParameter(name);
  return value;
}

export function integer(input: Input, name: string, range: { min: number; max: number }): number | null {
  const value = text(input, name);
  if (value === null) return null;
  if (!/^-?\d+$/.test(value)) throw invalidValue(name, value);
  const number = Number(value);
  if (number < range.min || number > range.max) {
    throw invalidValue(
      name,
      value,
      `Value (${value}) for parameter ${name} is invalid. Expecting a value between ${range.min} and ${range.max}.`,
    );
  }
  return number;
}

export function flag(input: Input, name: string): boolean {
  const value = text(input, name);
  if (value === null || value === "false") return false;
  if (value === "true") return true;
  throw invalidValue(name, value);
}

export function textList(input: Input, name: string): readonly string[] {
  const value = input[name];
  if (value === undefined || value === "") return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw invalidValue(name, String(value));
  }
  return value;
}

export function requiredTextList(input: Input, name: string): readonly string[] {
  const values = textList(input, name);
  if (values.length === 0) throw missingParameter(name);
  return values;
}

export function objectList(input: Input, name: string): readonly Input[] {
  const value = input[name];
  if (value === undefined || value === "") return [];
  if (!Array.isArray(value) || !value.every(isObject)) throw invalidValue(name, String(value));
  return value;
}

export function object(input: Input, name: string): Input | null {
  const value = input[name];
  if (value === undefined || value === "") return null;
  if (!isObject(value)) throw invalidValue(name, String(value));
  return value;
}

/** A parameter that this action does not have is refused, so that a typing error never goes unnoticed. */
export function refuseUnknown(input: Input, known: readonly string[]): void {
  const unknown = Object.keys(input).find((name) => name !== "DryRun" && !known.includes(name));
  if (unknown !== undefined) {
    throw new ServiceError("UnknownParameter", `The parameter ${unknown} is not recognized`);
  }
}
