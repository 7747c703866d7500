import { z } from "zod";

/** Every id is a prefix from this table and a ULID, so that an id says what it names wherever it turns up. */
const idPrefixes = {
  cluster: "clu",
  node: "nod",
  operation: "opn",
  backup: "bkp",
  audit: "aud",
  request: "req",
} as const;

export type IdKind = keyof typeof idPrefixes;

/** Crockford base32, as a ULID writes it. */
const ulidPattern = "[0-9A-HJKMNP-TV-Z]{26}";

function idSchema(kind: IdKind) {
  const prefix = idPrefixes[kind];
  return z
    .string()
    .regex(
      new RegExp(`^${prefix}_${ulidPattern}$`),
      `must be a ${kind} id: ${prefix}_ followed by 26 characters`,
    );
}

export const clusterIdSchema = idSchema("cluster");
export const nodeIdSchema = idSchema("node");
export const operationIdSchema = idSchema("operation");
export const backupIdSchema = idSchema("backup");

/** Puts the prefix of `kind` before a ULID that the caller made (ids are made where clock and randomness are allowed). */
export function prefixed(kind: IdKind, ulid: string): string {
  return `${idPrefixes[kind]}_${ulid}`;
}
