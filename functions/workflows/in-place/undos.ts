import { type ClusterScope, known, readNode } from "../create-cluster/records.ts";
import { isSilence, runOn } from "../shards.ts";
import * as acts from "./acts.ts";
import { archivedSince } from "./checks.ts";
import { readCourse } from "./course.ts";
import type { InPlaceDeadlines } from "./deadlines.ts";

/**
 * How the data that there was comes back into service. Each does nothing where nothing was done: an execution that takes
 * another's place does not know how far that had come.
 */

const inputOf = (scope: ClusterScope, nodeId: string) => ({ clusterId: scope.clusterId, nodeId });

/** A node that restarts just now has the data on its volume. */
async function memberThatAnswers(scope: ClusterScope, nodeId: string, { returnSeconds }: InPlaceDeadlines) {
  const { node } = await readNode(scope, nodeId);
  if (!node.services.includes("postgres")) return null;
  await scope.ports.commands.awaitOnline(known(node.instanceId, "instance", nodeId), returnSeconds);
  return node;
}

export async function putBack(
  scope: ClusterScope,
  nodeId: string,
  deadlines: InPlaceDeadlines,
): Promise<void> {
  const { leaderId } = await readCourse(scope);
  if (leaderId === null) return;
  const node = await memberThatAnswers(scope, nodeId, deadlines);
  if (node === null) return;
  const { putBackSeconds } = deadlines;
  await runOn(scope, node, "put-data-back", "put-back", putBackSeconds, {
    ...inputOf(scope, node.id),
    operationId: scope.operationId,
    deadlineSeconds: putBackSeconds,
  });
}

class NotBackError extends Error {
  readonly code = "not-back";
}

/** On a timeline of its own, where what it had to give way to has been archived. */
export async function leaderBack(scope: ClusterScope, deadlines: InPlaceDeadlines): Promise<void> {
  const { leaderId } = await readCourse(scope);
  if (leaderId === null) return;
  const node = await memberThatAnswers(scope, leaderId, deadlines);
  if (node === null) return;
  const above = await archivedSince(scope, deadlines);
  const from = { kind: "kept", above, left: null, withArchive: false } as const;
  const input = { ...inputOf(scope, node.id), operationId: scope.operationId, from };
  const end = Date.now() + deadlines.sliceMs;
  for (;;) {
    const { message, state } = await runOn(scope, node, "restore-data", "back", deadlines.lookSeconds, input);
    if (state === "done") break;
    if (state === "failed") throw new NotBackError(message ?? "PostgreSQL gave no reason");
    if (Date.now() > end) throw new NotBackError("PostgreSQL is still at its own WAL");
    await new Promise((resolve) => setTimeout(resolve, deadlines.lookMs));
  }
  const { leadSeconds } = deadlines;
  await runOn(scope, node, "start-member", "lead-again", leadSeconds, {
    ...inputOf(scope, node.id),
    leads: true,
    deadlineSeconds: leadSeconds,
  });
  await runOn(scope, node, "admit-clients", "admit-again", deadlines.shortSeconds, inputOf(scope, node.id));
}

export async function replicaBack(
  scope: ClusterScope,
  nodeId: string,
  deadlines: InPlaceDeadlines,
): Promise<void> {
  const { leaderId } = await readCourse(scope);
  if (leaderId === null || nodeId === leaderId) return;
  const node = await memberThatAnswers(scope, nodeId, deadlines);
  if (node !== null) await acts.startReplica(scope, nodeId, deadlines);
}

/** A node that is away holds nobody. */
export async function letClientsIn(
  scope: ClusterScope,
  nodeId: string,
  deadlines: InPlaceDeadlines,
): Promise<void> {
  try {
    await acts.letClientsIn(scope, nodeId, deadlines);
  } catch (error) {
    if (!isSilence(error)) throw error;
  }
}

export const resume = (scope: ClusterScope): Promise<void> => acts.resume(scope);
