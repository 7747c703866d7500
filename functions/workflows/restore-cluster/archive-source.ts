import { restoreRequestSchema } from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import type { CreateDeadlines } from "../create-cluster/deadlines.ts";
import type { ClusterScope } from "../create-cluster/records.ts";
import { isOfNodes, patiently, requireLeader, runOn } from "../shards.ts";

const lookMs = 2_000;

/** The cluster that the data comes from archives what it has written up to now. */
export async function archiveSource(
  scope: ClusterScope,
  { archiveSeconds, sourceMs }: CreateDeadlines,
): Promise<string> {
  const asked = restoreRequestSchema.safeParse(scope.request);
  if (!asked.success) return "A logical backup needs no WAL.";
  const { archiveFirst, clusterId, shard } = asked.data;
  if (archiveFirst === undefined) return "Nothing more has to be archived.";
  const source = { ...scope, clusterId };
  try {
    const { archivedWal } = await patiently(archiveFirst === "must" ? sourceMs : 0, lookMs, async () => {
      const leader = await requireLeader(source, shard);
      const input = { clusterId, nodeId: leader.id, deadlineSeconds: archiveSeconds };
      return runOn(
        source,
        leader,
        "archive-now",
        `archive-source.${newId("request")}`,
        archiveSeconds,
        input,
      );
    });
    return `WAL segment ${archivedWal} is archived.`;
  } catch (error) {
    if (!isOfNodes(error)) throw error;
    if (archiveFirst === "may") return `The leader archives nothing more: ${error.message}`;
    throw new NotArchivedError(
      `the target is newer than the WAL archive, and the leader of ${clusterId} does not archive more: ${error.message}. Choose an earlier target, or mend the cluster first`,
      { cause: error },
    );
  }
}

class NotArchivedError extends Error {
  readonly code = "target-not-archived";
}
