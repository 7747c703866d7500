import { type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { type CreateDeadlines, createDeadlines } from "./create-cluster/deadlines.ts";
import { configuredNodes, keptCipherPass } from "./create-cluster/nodes.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { attemptsMax, restoredCluster, statusAfter } from "./restore-cluster/restored.ts";

/**
 * A deleted cluster, under its own id: what its backups and the archive have of it, in new machines. It goes on
 * archiving where it had ended, on a timeline of its own. Where it does not get to its end, everything that it has made
 * goes again, and nothing that was kept.
 */
export function undeleteClusterWorkflow(
  deadlines: CreateDeadlines = createDeadlines,
): Workflow<ClusterPorts> {
  return {
    kind: "undelete-cluster",
    attemptsMax,
    chapters: [...configuredNodes(deadlines, keptCipherPass), ...restoredCluster(deadlines)],
    statusAt: (ending) => statusAfter("undelete", ending),
  };
}

export const handler = workflowHandler(undeleteClusterWorkflow(), openPorts);
