import { drillRequestSchema } from "./drill.ts";
import { loadRequestSchema } from "./logical.ts";
import { type RestoreSource, restoreRequestSchema } from "./restore.ts";

/** The backup that an operation reads, by its request; null: it reads none. */
export function restoredFrom(request: unknown): Pick<RestoreSource, "clusterId" | "backupId"> | null {
  const restore = restoreRequestSchema.safeParse(request);
  if (restore.success) return restore.data;
  const drill = drillRequestSchema.safeParse(request);
  if (drill.success) return drill.data.source;
  const load = loadRequestSchema.safeParse(request);
  return load.success ? load.data.source : null;
}
