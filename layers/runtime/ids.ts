import { monotonicFactory } from "ulid";
import { type IdKind, prefixed } from "../domain/ids.ts";

/** Ids that one process makes in one millisecond still sort in the order in which they were made. */
const ulid = monotonicFactory();

export function newId(kind: IdKind): string {
  return prefixed(kind, ulid());
}
