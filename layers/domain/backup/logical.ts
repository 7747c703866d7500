import { z } from "zod";
import { backupIdSchema, clusterIdSchema } from "../ids.ts";
import type { Backup } from "./backup.ts";
import type { Manifest } from "./manifest.ts";
import { backupStoreSchema } from "./store.ts";

/** A logical backup as its record has it, which must fit into the answer of a command. */
export const logicalFactsSchema = z.strictObject({
  label: z.string(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  sizeBytes: z.int().min(0),
  repositoryBytes: z.int().min(0),
  postgresVersion: z.string(),
  databases: z.array(z.string()),
});
export type LogicalFacts = z.infer<typeof logicalFactsSchema>;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

export function factsOf(manifest: Manifest): LogicalFacts {
  const { attempt, databases, endedAt, objects, postgresVersion, startedAt } = manifest;
  return {
    label: attempt,
    startedAt,
    endedAt,
    sizeBytes: sum(databases.map(({ sizeBytes }) => sizeBytes)),
    repositoryBytes: sum(objects),
    postgresVersion,
    databases: databases.map(({ name }) => name),
  };
}

/** The backup with what its manifest says of it. */
export function asInManifest(backup: Backup, facts: LogicalFacts): Backup {
  const { databases, postgresVersion, ...others } = facts;
  const logical = { databases, postgresVersion };
  return { ...backup, ...others, logical, state: "succeeded", progress: null, error: null };
}

/** One database of one logical backup. */
export const logicalSourceSchema = z.strictObject({
  clusterId: clusterIdSchema,
  shard: z.int().min(0),
  backupId: backupIdSchema,
  database: z.string().min(1),
});
export type LogicalSource = z.infer<typeof logicalSourceSchema>;

/** From where a database is loaded, and what it is called here. */
export const loadSchema = z.strictObject({ source: logicalSourceSchema, name: z.string().min(1) });
export type Load = z.infer<typeof loadSchema>;

/** `Operation.request` of whatever loads a database from a logical backup. */
export const loadRequestSchema = z.strictObject({
  ...loadSchema.shape,
  /** Where the backup is; left out: in the environment's bucket. */
  store: backupStoreSchema.optional(),
});
export type LoadRequest = z.infer<typeof loadRequestSchema>;

const majorOf = (version: string): number => Number.parseInt(version, 10);

/** pg_restore reads what its own version and those before it have written. @param into the major version there */
export function isReadableBy(version: string, into: number): boolean {
  return majorOf(version) <= into;
}
