import {
  type ClusterNode,
  keptRequestSchema,
  lackOfRoom,
  Problem,
  restoreSourceSchema,
  whoGoesBack,
} from "@pgherd/layers/domain";
import { type ClusterScope, known, readCluster } from "../create-cluster/records.ts";
import { isSilence, runningNodes, runOn } from "../shards.ts";
import { membersOf, writeCourse } from "./course.ts";
import type { InPlaceDeadlines } from "./deadlines.ts";

/** What is looked at again before anything is stopped: the call may be minutes old. */

class MemberAwayError extends Error {
  readonly code = "member-not-streaming";
}

/** Every member takes part: one that is away would come back with what the others have left behind. */
async function everyMember(scope: ClusterScope): Promise<ClusterNode[]> {
  const members = await membersOf(scope);
  const away = members.filter((member) => runningNodes([member]).length === 0);
  if (away.length === 0) return members;
  throw new MemberAwayError(`${away.map(({ id }) => id).join(", ")} does not run`);
}

async function checkFree(scope: ClusterScope): Promise<void> {
  const { backupOperationId, id } = await readCluster(scope);
  if (backupOperationId === null) return;
  throw new Problem(
    "backup-in-progress",
    `Cluster ${id} runs operation ${backupOperationId}, which is about a backup: PostgreSQL is not stopped under it.`,
  );
}

/** What another operation could not clear away goes before the room is measured. */
export async function checkRestore(scope: ClusterScope, { shortSeconds }: InPlaceDeadlines): Promise<string> {
  await checkFree(scope);
  const { backupId } = restoreSourceSchema.parse(scope.request);
  const [{ kept, spec }, members, found] = await Promise.all([
    readCluster(scope),
    everyMember(scope),
    scope.ports.store.getBackup(scope.clusterId, backupId),
  ]);
  const backup = known(found, "backup", backupId);
  const keep = kept?.operationId ?? null;
  const rooms = await Promise.all(
    members.map(async (node) => {
      const input = { clusterId: scope.clusterId, nodeId: node.id };
      await runOn(scope, node, "drop-aside-data", "tidy", shortSeconds, { ...input, keep });
      const { disk } = await runOn(scope, node, "inspect", "room", shortSeconds, input);
      return { nodeId: node.id, freeBytes: disk.totalBytes - disk.usedBytes };
    }),
  );
  const lack = lackOfRoom(rooms, backup, spec);
  if (lack !== null) throw new Problem("volume-too-small", `${lack}.`);
  return `There is room on ${members.length === 1 ? "the node" : `all ${members.length} nodes`}.`;
}

/** The data of before has to be somewhere, and then where it was last is the best place. */
export async function checkRollback(
  scope: ClusterScope,
  { shortSeconds }: InPlaceDeadlines,
): Promise<string> {
  await checkFree(scope);
  const { operationId } = keptRequestSchema.parse(scope.request);
  const [{ kept }, members] = await Promise.all([readCluster(scope), everyMember(scope)]);
  if (kept?.operationId !== operationId) throw nothingKept(operationId);
  const asked = members.map(async (node) => {
    const input = { clusterId: scope.clusterId, nodeId: node.id, operationId };
    const { isKept } = await runOn(scope, node, "kept-data", "kept-data", shortSeconds, input);
    return isKept ? [node.id] : [];
  });
  const holders = (await Promise.all(asked)).flat();
  const best = members.find(({ id }) => id === whoGoesBack(kept, holders));
  if (best === undefined) throw nothingKept(operationId);
  await writeCourse(scope, { restoredOn: best.id });
  return `The data of before is on ${holders.length === 1 ? "one node" : `${holders.length} nodes`}.`;
}

const nothingKept = (operationId: string): Problem =>
  new Problem("nothing-kept", `No node has the data from before operation ${operationId} any more.`);

/** The youngest timeline that any member has archived of what the operation had brought; null: none. */
export async function archivedSince(
  scope: ClusterScope,
  { shortSeconds }: InPlaceDeadlines,
): Promise<number | null> {
  const asked = (await membersOf(scope)).map(async (node) => {
    const input = { clusterId: scope.clusterId, nodeId: node.id, operationId: scope.operationId };
    try {
      const found = await runOn(scope, node, "kept-data", "archived", shortSeconds, input);
      return found.archivedTimeline ?? 0;
    } catch (error) {
      // Only one of them has led since, and it is the one that has just answered, or is away for good.
      if (isSilence(error)) return 0;
      throw error;
    }
  });
  const youngest = Math.max(0, ...(await Promise.all(asked)));
  return youngest === 0 ? null : youngest;
}
