import type { Properties } from "../targets.ts";

/** Reads of resolved properties; what is missing or of another type fails with its name. */
export function textOf(properties: Properties, name: string): string {
  const value = properties[name];
  if (typeof value !== "string")
    throw new Error(`the property ${name} is not a text: ${JSON.stringify(value)}`);
  return value;
}

export function optionalText(properties: Properties, name: string): string | null {
  const value = properties[name];
  return value === undefined ? null : textOf(properties, name);
}

/** CloudFormation takes numbers as texts as well. */
export function numberOf(properties: Properties, name: string, otherwise: number): number {
  const value = properties[name];
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (Number.isNaN(number)) throw new Error(`the property ${name} is not a number: ${JSON.stringify(value)}`);
  return number;
}

export function objectOf(properties: Properties, name: string): Properties {
  const value = properties[name];
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`the property ${name} is not an object: ${JSON.stringify(value)}`);
  return value as Properties;
}

export function listOf(properties: Properties, name: string): readonly unknown[] {
  const value = properties[name];
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error(`the property ${name} is not a list: ${JSON.stringify(value)}`);
  return value;
}
