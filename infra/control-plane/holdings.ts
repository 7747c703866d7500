import type { OperationKind } from "../../layers/domain/operation/operation.ts";
import type { FunctionSource } from "../build/tree.ts";
import type { BackupStore } from "../constructs/backup-store.ts";
import type { ClusterSchedules } from "../constructs/cluster-schedules.ts";
import type { ClusterSecrets } from "../constructs/cluster-secrets.ts";
import type { ClusterTable } from "../constructs/cluster-table.ts";
import type { DurableWorkflow } from "../constructs/durable-workflow.ts";
import type { NodeDocument } from "../constructs/node-document.ts";
import type { NodeFleet } from "../constructs/node-fleet.ts";
import type { NodeIdentity } from "../constructs/node-identity.ts";

/** What functions are given rights to. Each knows what a right of its own comes to in a policy. */
export interface Holdings {
  readonly table: ClusterTable;
  readonly backups: BackupStore;
  readonly schedules: ClusterSchedules;
  readonly secrets: ClusterSecrets;
  readonly fleet: NodeFleet;
  readonly identity: NodeIdentity;
  readonly document: NodeDocument;
}

/** What else a function may be given: to start operations, and to look after them. */
export type Workflows = ReadonlyMap<OperationKind, DurableWorkflow>;

/** What clusters' schedules start. */
export const scheduled: readonly OperationKind[] = ["backup-cluster", "drill-backup", "verify-backups"];

/** create-cluster → CreateCluster */
export function constructId(source: FunctionSource): string {
  return source.name.replace(/(^|-)([a-z])/g, (_match, _hyphen: string, letter: string) =>
    letter.toUpperCase(),
  );
}
