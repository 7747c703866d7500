import { z } from "zod";
import { isSameStore } from "../backup/store.ts";
import type { FieldError } from "../problems.ts";
import {
  type CreateClusterBody,
  completeSpec,
  createClusterBodySchema,
  dcsMembersDefault,
  type SpecDefaults,
} from "./create-body.ts";
import type { ClusterSpec } from "./spec.ts";

/** A change of a spec as RFC 7396 has it: what is named changes, `null` goes back to the default. */
export type Patch = Readonly<Record<string, unknown>>;

/** What a cluster was created with and keeps, and what to do instead. */
const immutable = [
  ["name", "the endpoints and the passwords' parameters were handed out under it"],
  ["postgresVersion", "a major version is changed by moving the data to a new cluster"],
  ["database", "rename it with ALTER DATABASE in a new cluster, or create another one beside it"],
] as const;

/** They may be sent as they are, so that a spec that was read can be sent back; another value learns why it is none. */
const immutableFields = {
  name: z.string().meta({ description: "Cannot be changed." }),
  postgresVersion: z.int().meta({ description: "Cannot be changed." }),
  database: z.string().meta({ description: "Cannot be changed." }),
} satisfies Record<(typeof immutable)[number][0], z.ZodType>;

/** The body of `PATCH /v1/clusters/{clusterId}`: the fields of a create, each optional and nullable. */
export const patchClusterBodySchema = z.strictObject(
  nullableFields({ ...createClusterBodySchema.shape, ...immutableFields }),
);

function nullableFields(shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(shape).map(([name, field]) => [name, nullableField(field)]));
}

/** With the field's own description, but without its default: what is left out stays as it is. */
function nullableField(field: z.ZodType): z.ZodType {
  const inner = field instanceof z.ZodOptional ? field.unwrap() : field;
  const { description } = field.meta() ?? {};
  const nullable = admittingNull(emptied(inner)).optional();
  return description === undefined ? nullable : nullable.meta({ description });
}

function admittingNull(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodNullable ? schema : schema.nullable();
}

/** Entries of an object and of a map go one by one. */
function emptied(schema: unknown): z.ZodType {
  if (schema instanceof z.ZodNullable) return emptied(schema.unwrap()).nullable();
  if (schema instanceof z.ZodObject) return z.strictObject(nullableFields(schema.shape));
  if (schema instanceof z.ZodRecord) {
    const value: unknown = schema.valueType;
    return z.record(z.string(), value instanceof z.ZodType ? value.nullable() : z.unknown());
  }
  if (schema instanceof z.ZodType) return schema;
  throw new Error("the create's body has a field that is no schema");
}

export type PatchedSpec =
  | { readonly ok: true; readonly spec: ClusterSpec }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** The spec with the patch on it, complete again; what cannot be changed stays. Whether it can be carried out is {@link checkSpec}'s to say. */
export function patchSpec(spec: ClusterSpec, patch: Patch, defaults: SpecDefaults): PatchedSpec {
  const changing = Object.entries(patch).filter(([field]) => !(field in immutableFields));
  const merged = mergePatch(follow(spec, patch), Object.fromEntries(changing), createClusterBodySchema);
  const parsed = createClusterBodySchema.safeParse(merged);
  if (!parsed.success) return { ok: false, errors: parsed.error.issues.map(fieldError) };
  return { ok: true, spec: keepingStore(spec, patch, completeSpec(parsed.data, defaults)) };
}

/** The defaults of backups are asked for, and what a cluster was made with is none of them. */
function keepingStore(before: ClusterSpec, patch: Patch, after: ClusterSpec): ClusterSpec {
  if (patch["backup"] !== null) return after;
  return { ...after, backup: { ...after.backup, store: before.backup.store } };
}

/** RFC 7396: objects are merged, everything else is replaced, and null removes, unless it is a value of the field. */
function mergePatch(target: Patch, patch: Patch, schema: unknown): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    const field = fieldOf(schema, name);
    if (value === null && !(field instanceof z.ZodNullable)) delete merged[name];
    else if (isObject(value)) {
      const before = merged[name];
      merged[name] = mergePatch(isObject(before) ? before : {}, value, field);
    } else merged[name] = value;
  }
  return merged;
}

function fieldOf(schema: unknown, name: string): unknown {
  const field: unknown = schema instanceof z.ZodObject ? schema.shape[name] : undefined;
  return field instanceof z.ZodOptional ? field.unwrap() : field;
}

function isObject(value: unknown): value is Patch {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const fieldError = (issue: { path: readonly PropertyKey[]; message: string }): FieldError => ({
  path: issue.path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join(""),
  message: issue.message,
});

/**
 * The spec as a body, without what only followed from something that changes: a DCS that had as many members as a
 * cluster of that size gets by itself keeps getting them, and a size of dedicated nodes goes with the nodes.
 */
function follow(spec: ClusterSpec, patch: Patch): CreateClusterBody {
  const { dcs, proxy, ...others } = spec;
  const isDcsMeant = isObject(patch["dcs"]) && "members" in patch["dcs"];
  const isFollowing = dcs.placement === "colocated" && dcs.members === dcsMembersDefault(spec.members);
  const { members, instanceType: dcsType, ...dcsRest } = dcs;
  const { count, instanceType: proxyType, ...proxyRest } = proxy;
  return {
    ...others,
    dcs: {
      ...dcsRest,
      ...("members" in patch && isFollowing && !isDcsMeant ? {} : { members }),
      ...(dcsType === undefined || becomes(patch["dcs"], "colocated") ? {} : { instanceType: dcsType }),
    },
    proxy: {
      ...proxyRest,
      ...(becomes(patch["proxy"], "colocated") ? {} : { count }),
      ...(proxyType === undefined || becomes(patch["proxy"], "colocated") ? {} : { instanceType: proxyType }),
    },
  };
}

function becomes(patch: unknown, placement: string): boolean {
  return isObject(patch) && (patch["placement"] === placement || patch["placement"] === null);
}

/** The patch that makes one spec of the other. */
export function patchBetween(before: ClusterSpec, after: ClusterSpec): Patch {
  return differences(before, after);
}

function differences(before: Patch, after: Patch): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [from, to] = [before[name], after[name]];
    const inner = isObject(from) && isObject(to) ? differences(from, to) : null;
    if (to === undefined) patch[name] = null;
    else if (inner === null ? JSON.stringify(from) !== JSON.stringify(to) : Object.keys(inner).length > 0) {
      patch[name] = inner ?? to;
    }
  }
  return patch;
}

/** What the patch asks for and no cluster can be given. */
export function checkImmutable(spec: ClusterSpec, patch: Patch): FieldError[] {
  return immutable
    .filter(([field]) => field in patch && patch[field] !== spec[field])
    .map(([field, reason]) => ({
      path: `/${field}`,
      message: `stays ${JSON.stringify(spec[field])} for the life of the cluster: ${reason}`,
    }));
}

export function checkShrinking(before: ClusterSpec, after: ClusterSpec): FieldError[] {
  const [from, to] = [before.storage.sizeGiB, after.storage.sizeGiB];
  if (to >= from) return [];
  const message = `a volume only grows, and it has ${from} GiB: to get down to ${to} GiB, create a cluster of that size and move the data with pg_dump or logical replication`;
  return [{ path: "/storage/sizeGiB", message }];
}

/** Backups and WAL would be in two places, and a restore needs all of them in one. */
export function checkStoreKept(before: ClusterSpec, after: ClusterSpec): FieldError[] {
  const { store } = before.backup;
  if (isSameStore(store, after.backup.store)) return [];
  const place = store === null ? "the environment's bucket" : `bucket "${store.bucket}" at ${store.endpoint}`;
  const message = `backups and WAL stay in ${place} for the life of the cluster: restore it into a new cluster with another store, with POST …/restore; another key for the same store goes into its parameter`;
  return [{ path: "/backup/store", message }];
}
