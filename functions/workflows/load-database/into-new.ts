import { loadRequestSchema } from "@pgherd/layers/domain";
import type { LoadStanding } from "@pgherd/layers/domain/node";
import { CommandError } from "@pgherd/layers/ports";
import type { BackupDeadlines } from "../backup-cluster/deadlines.ts";
import type { ClusterScope } from "../create-cluster/records.ts";
import { once } from "../node-work.ts";
import { NoLeaderError, requireLeader, runOn } from "../shards.ts";
import { inputOf, shard } from "./acts.ts";

/** By its name it passes: the same step goes on with what the node is at. */
class StillLoadingError extends Error {
  override readonly name = "TimeoutError";
}

class NotLoadedError extends Error {
  readonly code = "restore-failed";
}

/** Where a new cluster is to have a database of a logical backup, it gets it here. */
export async function loadIntoNew(
  scope: ClusterScope,
  deadlines: BackupDeadlines,
): Promise<string | undefined> {
  const asked = loadRequestSchema.safeParse(scope.request);
  if (!asked.success) return undefined;
  const { isFinal, message, state } = await loadFor(scope, deadlines);
  if (state === "failed" && isFinal) throw new NotLoadedError(message ?? "pg_restore ended without a word");
  if (state !== "done") throw new StillLoadingError(message ?? "the database is still being loaded");
  return `Database "${asked.data.name}" is loaded.`;
}

/** One that runs goes on, and one that has ended without an end begins anew. */
async function loadFor(
  scope: ClusterScope,
  { lookMs, shortSeconds, sliceMs }: BackupDeadlines,
): Promise<LoadStanding> {
  const deadline = Date.now() + sliceMs;
  try {
    const leader = await requireLeader(scope, shard);
    const input = inputOf(scope, leader.id);
    let standing = await runOn(scope, leader, "load-database", once("load"), shortSeconds, input);
    while (standing.state === "running" && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, lookMs));
      standing = await runOn(scope, leader, "load-standing", once("standing"), shortSeconds, input);
    }
    return standing;
  } catch (error) {
    throw mayPass(error);
  }
}

/** A leader that changes, or has no time for an answer, is no reason to take everything back. */
function mayPass(error: unknown): unknown {
  if (!(error instanceof CommandError || error instanceof NoLeaderError)) return error;
  return new StillLoadingError(error.message, { cause: error });
}

/** A step of its own: as long as the load may be asked for again, the node has to know what it has done. */
export async function settleNew(scope: ClusterScope, { shortSeconds }: BackupDeadlines): Promise<void> {
  if (!loadRequestSchema.safeParse(scope.request).success) return;
  try {
    const leader = await requireLeader(scope, shard);
    await runOn(scope, leader, "end-load", once("end"), shortSeconds, inputOf(scope, leader.id));
  } catch (error) {
    throw mayPass(error);
  }
}
