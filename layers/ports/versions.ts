import type { OperationKind } from "../domain/operation/operation.ts";
import type { FunctionVersions } from "../domain/operation/versions.ts";

/** The versions of the functions that carry out operations: an execution stays on the one that it began with. */
export interface Versions {
  list(kind: OperationKind): Promise<FunctionVersions>;
  /** Those that an execution still runs on. */
  running(kind: OperationKind): Promise<readonly number[]>;
  /** Already gone is success; false where an alias leads to it by now. */
  remove(kind: OperationKind, version: number): Promise<boolean>;
}
