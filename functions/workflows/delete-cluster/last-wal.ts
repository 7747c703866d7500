import { deleteResultSchema } from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import { isOfNodes, requireLeader, runOn } from "../shards.ts";
import { clients } from "../stop-cluster/services.ts";
import type { DeleteDeadlines } from "./deadlines.ts";
import { type DeleteScope, wantedBackup } from "./final-backup.ts";

/** What is written after this through an endpoint is not acknowledged, so nothing is lost by it. */
export async function closeClients(
  scope: DeleteScope,
  nodeId: string,
  { clientsSeconds }: DeleteDeadlines,
): Promise<string | undefined> {
  if (wantedBackup(scope) === null) return undefined;
  try {
    return await clients(scope, nodeId, { clientsSeconds, postgresSeconds: 0, instanceSeconds: 0 });
  } catch (error) {
    if (!isOfNodes(error)) throw error;
    return `goes as it is: ${error.message}`;
  }
}

/** The final backup stands by itself: what was written after it is archived where that is possible. */
export async function lastWal(scope: DeleteScope, { archiveSeconds }: DeleteDeadlines): Promise<string> {
  const { operationId, ports } = scope;
  const { store } = ports;
  if (wantedBackup(scope) === null) return "There is no final backup.";
  const { archiveEnd } = deleteResultSchema.parse((await store.getOperation(operationId))?.result ?? {});
  if (archiveEnd !== null) return `The archive reaches to ${archiveEnd.at}.`;
  try {
    const leader = await requireLeader(scope, 0);
    const input = { clusterId: scope.clusterId, nodeId: leader.id, deadlineSeconds: archiveSeconds };
    const { archivedWal, ...end } = await runOn(
      scope,
      leader,
      "archive-now",
      `last-wal.${newId("request")}`,
      archiveSeconds,
      input,
    );
    await store.putOperationResult(operationId, { archiveEnd: end });
    return `The archive reaches to ${end.at}, in WAL segment ${archivedWal}.`;
  } catch (error) {
    if (!isOfNodes(error)) throw error;
    return `The archive ends with the final backup: ${error.message}`;
  }
}
