import type { NodeVerb } from "./protocol.ts";

/**
 * What these say, or have done, is true for a moment only, so a node carries out each such command, also one that it
 * knows: data changes its place more than once in an operation that has to be undone.
 */
export const momentaryVerbs: readonly NodeVerb[] = [
  "observe",
  "observe-place",
  "inspect",
  "survey",
  "read-logs",
  "backup-standing",
  "list-backups",
  "archive-state",
  "archive-now",
  "logical-backup-standing",
  "inspect-database",
  "load-standing",
  "check-restored",
  "check-standing",
  "verify-repository",
  "verification-standing",
  "hold-clients",
  "let-clients-in",
  "admit-clients",
  "set-aside-data",
  "take-kept-data",
  "restore-data",
  "start-member",
  "put-data-back",
  "kept-data",
  "drop-aside-data",
];
