import { type LoadAct, nextLoadAct } from "@pgherd/layers/domain";
import { type Loop, loopHandler } from "@pgherd/layers/runtime/workflow";
import { type BackupDeadlines, backupDeadlines } from "./backup-cluster/deadlines.ts";
import type { ClusterScope } from "./create-cluster/records.ts";
import { forbidSource } from "./identity.ts";
import * as acts from "./load-database/acts.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { findLeader, isOfNodes } from "./shards.ts";

const attemptsMax = 6;
/** Twelve hours of loading in slices, and what comes before and after them. */
const roundsMax = 160;
/** A leader that goes meanwhile takes the transaction with it; the next one begins anew. */
const loadsMax = 4;

class NotLoadedError extends Error {
  readonly code = "restore-failed";
}

/**
 * One database of a logical backup into a cluster that runs. Loaded on the leader in one transaction, so whatever ends it
 * early leaves the database as it was.
 */
export function loadDatabaseLoop(deadlines: BackupDeadlines = backupDeadlines): Loop<ClusterPorts, LoadAct> {
  return {
    kind: "load-database",
    attemptsMax,
    roundsMax,
    next: (scope) => next(scope, deadlines),
    nameOf: (act) => (act.kind === "settle" ? act.kind : `${act.kind} on ${act.nodeId}`),
    carryOut: (scope, act, step) => {
      switch (act.kind) {
        case "load":
          return acts.load(scope, act, deadlines);
        case "watch":
          return acts.watchLoad(scope, act, step, deadlines);
        case "settle":
          return acts.settle(scope, act.nodeId, deadlines);
      }
    },
    atCancel: (scope) => acts.stop(scope, deadlines),
    takenBack: ["restore-failed"],
    atEnd: async (scope) => {
      await forbidSource(scope);
    },
    // The cluster is another operation's, or its health's, to speak of.
    statusAt: () => null,
  };
}

async function next(scope: ClusterScope, deadlines: BackupDeadlines): Promise<LoadAct | null> {
  const deadline = Date.now() + deadlines.nobodyMs;
  for (;;) {
    const course = await acts.readCourse(scope);
    const act = nextLoadAct(course, await leaderSeen(scope), loadsMax);
    const why = course.message ?? "no reason";
    if (act === "failed") throw new NotLoadedError(`the database could not be loaded: ${why}`);
    if (act !== "nobody") return act;
    if (Date.now() > deadline)
      throw new NotLoadedError("the shard has no leader that could load the database");
    await new Promise((resolve) => setTimeout(resolve, deadlines.lookMs));
  }
}

/** While nobody answers, nobody leads. */
async function leaderSeen(scope: ClusterScope): Promise<string | null> {
  try {
    return (await findLeader(scope, acts.shard))?.id ?? null;
  } catch (error) {
    if (isOfNodes(error)) return null;
    throw error;
  }
}

export const handler = loopHandler(loadDatabaseLoop(), openPorts);
