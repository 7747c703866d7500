import { type Backup, newBackup, prefixed } from "../../../../layers/domain/index.ts";

export const clusterId = "clu_01ARZ3NDEKTSV4RRFFQ69G5FAV";

/** Ids that sort by their number. */
export const idOf = (kind: "backup" | "operation" | "node", number: number): string =>
  prefixed(kind, `01ARZ3NDEKTSV4RRFFQ6${String(number).padStart(6, "0")}`);

export const labelOf = (number: number): string => `20260101-${String(number).padStart(6, "0")}F`;

/** One that succeeded, in the minute of its number. */
export function backupOf(number: number, change: Partial<Backup> = {}): Backup {
  const asked = {
    id: idOf("backup", number),
    clusterId,
    shard: 0,
    type: "full",
    operationId: idOf("operation", number),
    startedBy: "olivia",
    startedAt: minute(number),
  } as const;
  return {
    ...newBackup(asked),
    state: "succeeded",
    label: labelOf(number),
    endedAt: minute(number),
    lsnStart: `0/${number}000028`,
    lsnStop: `0/${number}000100`,
    ...change,
  };
}

export const minute = (number: number): string => new Date(Date.UTC(2026, 0, 1, 0, number)).toISOString();
