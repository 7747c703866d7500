import { ServiceError } from "../service.ts";
import { invalidValue } from "./errors.ts";
import { type Input, integer, objectList, requiredText, text, textList } from "./input.ts";
import type { Tags } from "./state.ts";

/** Filter name → values that a resource has under it. */
export type Attributes = Readonly<Record<string, readonly (string | number | boolean)[]>>;

const filtersMax = 50;
const valuesMax = 200;
/** EC2's own limits for a page. */
const pageSize = { min: 5, max: 1000 };

/**
 * Keeps what matches every filter of the call: one of a filter's values must match, `*` and `?` stand for anything.
 * @param attributesOf gives every filter name that the resource knows, also those it has no value for.
 */
export function filtered<T>(
  items: readonly T[],
  input: Input,
  attributesOf: (item: T) => Attributes,
  tagsOf: (item: T) => Tags,
  known: readonly string[],
): T[] {
  const filters = objectList(input, "Filter").map((filter) => ({
    name: requiredText(filter, "Name"),
    values: textList(filter, "Value"),
  }));
  if (filters.length > filtersMax) throw limitExceeded("filters", filtersMax);
  for (const { name, values } of filters) {
    if (values.length > valuesMax) throw limitExceeded("filter values", valuesMax);
    if (!known.includes(name) && !isTagFilter(name)) {
      throw invalidValue("Filter", name, `The filter '${name}' is invalid`);
    }
  }
  const tests = filters.map(({ name, values }) => ({ name, patterns: values.map(patternOf) }));
  return items.filter((item) => {
    const tags = tagsOf(item);
    const attributes = attributesOf(item);
    return tests.every(({ name, patterns }) =>
      valuesOf(name, attributes, tags).some((value) => patterns.some((pattern) => pattern.test(value))),
    );
  });
}

function isTagFilter(name: string): boolean {
  return name.startsWith("tag:") || name === "tag-key" || name === "tag-value";
}

function valuesOf(name: string, attributes: Attributes, tags: Tags): string[] {
  if (name === "tag-key") return Object.keys(tags);
  if (name === "tag-value") return Object.values(tags);
  if (name.startsWith("tag:")) {
    const value = tags[name.slice("tag:".length)];
    return value === undefined ? [] : [value];
  }
  return (attributes[name] ?? []).map(String);
}

function patternOf(value: string): RegExp {
  const source = value
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s");
}

function limitExceeded(what: string, max: number): ServiceError {
  return new ServiceError("FilterLimitExceeded", `A request can have at most ${max} ${what}.`);
}

/**
 * One page of a list. The token holds the last id that was shown, so that what appears or goes meanwhile neither
 * shifts nor repeats the rest.
 */
export function paged<T>(
  items: readonly T[],
  input: Input,
  idOf: (item: T) => string,
): { items: readonly T[]; nextToken?: string } {
  const limit = integer(input, "MaxResults", pageSize);
  const token = text(input, "NextToken");
  const after = token === null ? "" : decodeToken(token);
  const rest = items.filter((item) => idOf(item) > after).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const page = limit === null ? rest : rest.slice(0, limit);
  const last = page.at(-1);
  if (last === undefined || page.length === rest.length) return { items: page };
  return { items: page, nextToken: Buffer.from(idOf(last)).toString("base64url") };
}

function decodeToken(token: string): string {
  const id = Buffer.from(token, "base64url").toString("utf8");
  if (!/^[\x21-\x7e]+$/.test(id)) {
    throw new ServiceError("InvalidNextToken", `The token '${token}' is invalid`);
  }
  return id;
}

/** The named resources, or all where none is named. @throws what `absent` makes for the first that is not there. */
export function selected<T>(
  ids: readonly string[],
  all: () => readonly T[],
  get: (id: string) => T | undefined,
  absent: (id: string) => ServiceError,
): readonly T[] {
  if (ids.length === 0) return all();
  return [...new Set(ids)].map((id) => {
    const found = get(id);
    if (found === undefined) throw absent(id);
    return found;
  });
}
