import type { Operation } from "../operation/operation.ts";
import { drillRequestSchema } from "./drill.ts";
import { loadRequestSchema } from "./logical.ts";
import { type RestoreSource, restoreRequestSchema } from "./restore.ts";

/** Those of the operations that read a backup of the cluster, each with the one that it reads. */
export function readersOf<O extends Pick<Operation, "request">>(
  operations: readonly O[],
  clusterId: string,
): { readonly operation: O; readonly backupId: string }[] {
  return operations.flatMap((operation) => {
    const source = restoredFrom(operation.request);
    return source?.clusterId === clusterId ? [{ operation, backupId: source.backupId }] : [];
  });
}

/** The backup that an operation reads, by its request; null: it reads none. */
export function restoredFrom(request: unknown): Pick<RestoreSource, "clusterId" | "backupId"> | null {
  const restore = restoreRequestSchema.safeParse(request);
  if (restore.success) return restore.data;
  const drill = drillRequestSchema.safeParse(request);
  if (drill.success) return drill.data.source;
  const load = loadRequestSchema.safeParse(request);
  return load.success ? load.data.source : null;
}
