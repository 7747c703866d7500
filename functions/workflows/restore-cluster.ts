import { type Scope, step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type BackupDeadlines, backupDeadlines } from "./backup-cluster/deadlines.ts";
import { type CreateDeadlines, createDeadlines } from "./create-cluster/deadlines.ts";
import { configuredNodes, newCipherPass } from "./create-cluster/nodes.ts";
import { type MakingPorts, openMakingPorts } from "./create-cluster/ports.ts";
import { loadIntoNew, settleNew } from "./load-database/into-new.ts";
import type { ClusterPorts } from "./ports.ts";
import { archiveSource } from "./restore-cluster/archive-source.ts";
import { attemptsMax, restoredCluster, statusAfter } from "./restore-cluster/restored.ts";

/**
 * A new cluster with the data of another one's backup, and WAL up to the target; or an empty one that a database of a
 * logical backup is loaded into. What it comes from is only read, and need not be there any more. Everything that it
 * makes is its own, and goes again where it does not get to its end.
 */
export function restoreClusterWorkflow(
  deadlines: CreateDeadlines = createDeadlines,
  loading: BackupDeadlines = backupDeadlines,
): Workflow<MakingPorts> {
  const [claim, ...nodes] = configuredNodes(deadlines, newCipherPass);
  if (claim === undefined) throw new Error("a cluster is made without claiming anything");
  const loaded = [
    step("load", (scope: Scope<ClusterPorts>) => loadIntoNew(scope, loading)),
    step("settle", (scope: Scope<ClusterPorts>) => settleNew(scope, loading)),
  ];
  return {
    kind: "restore-cluster",
    attemptsMax,
    chapters: [
      claim,
      step("archive-source", (scope) => archiveSource(scope, deadlines)),
      ...nodes,
      ...restoredCluster(deadlines, loaded),
    ],
    statusAt: (ending) => statusAfter("restore", ending),
  };
}

export const handler = workflowHandler(restoreClusterWorkflow(), openMakingPorts);
