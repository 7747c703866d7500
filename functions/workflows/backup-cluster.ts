import { type BackupAct, type BackupCourse, nextBackupAct } from "@pgherd/layers/domain";
import type { Observation } from "@pgherd/layers/domain/node";
import { type Loop, loopHandler } from "@pgherd/layers/runtime/workflow";
import * as acts from "./backup-cluster/acts.ts";
import { readCourse } from "./backup-cluster/course.ts";
import { type BackupDeadlines, backupDeadlines } from "./backup-cluster/deadlines.ts";
import { nextOfRetention, removalsMax, remove, tidy } from "./backup-cluster/retention.ts";
import { type ClusterScope, readCluster } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { isOfNodes, observeShard } from "./shards.ts";

/** With growing pauses these tries span some minutes. */
const attemptsMax = 6;
/** Twelve hours of copying in slices, what comes before and after them, and backups that go. */
const roundsMax = 160 + removalsMax;
/** Somewhere else, and after a pause: what made one come to nothing may have passed. */
const takesMax = 6;

class NoBackupError extends Error {
  readonly code = "backup-failed";
}

/** Taken on a replica where there is one; whatever ends it early, it is begun again by itself. */
export function backupClusterLoop(
  deadlines: BackupDeadlines = backupDeadlines,
): Loop<ClusterPorts, BackupAct> {
  return {
    kind: "backup-cluster",
    attemptsMax,
    roundsMax,
    next: (scope) => next(scope, deadlines),
    nameOf,
    carryOut: (scope, act, step) => {
      switch (act.kind) {
        case "prepare":
          return acts.prepare(scope, step, deadlines);
        case "take":
          return acts.take(scope, act, deadlines);
        case "copy":
          return acts.copy(scope, act, step, deadlines);
        case "record":
          return acts.record(scope, deadlines);
        case "remove":
          return remove(scope, act, deadlines);
        case "tidy":
          return acts.readBackup(scope).then(({ shard }) => tidy(scope, shard, deadlines));
      }
    },
    atCancel: (scope) => acts.stop(scope, deadlines),
    // The cluster is another operation's, or its health's, to speak of.
    statusAt: () => null,
  };
}

function nameOf(act: BackupAct): string {
  switch (act.kind) {
    case "take":
      return `take on ${act.nodeId}`;
    case "remove":
      return `remove ${act.backupId}`;
    default:
      return act.kind;
  }
}

async function next(scope: ClusterScope, deadlines: BackupDeadlines): Promise<BackupAct | null> {
  const deadline = Date.now() + deadlines.nobodyMs;
  for (;;) {
    const course = await readCourse(scope);
    const { engine, shard } = await acts.readBackup(scope);
    if (course.isRecorded) return nextOfRetention(scope, shard);
    const { spec } = await readCluster(scope);
    const act = nextBackupAct(course, await membersSeen(scope), { engine, membersWanted: spec.members });
    if (act !== "nobody") return checkTakes(act, course);
    if (Date.now() > deadline) throw new NoBackupError(nobodySays(course));
    await new Promise((resolve) => setTimeout(resolve, deadlines.lookMs));
  }
}

/** While nobody answers, nobody can take a backup. */
async function membersSeen(scope: ClusterScope): Promise<Observation["members"]> {
  try {
    const { shard } = await acts.readBackup(scope);
    return (await observeShard(scope, shard)).members;
  } catch (error) {
    if (isOfNodes(error)) return [];
    throw error;
  }
}

function checkTakes(act: BackupAct | null, { attempts, message }: BackupCourse): BackupAct | null {
  if (act?.kind !== "take" || act.attempt <= takesMax) return act;
  throw new NoBackupError(`${attempts} tries came to nothing, the last one with: ${message ?? "no reason"}`);
}

function nobodySays({ message }: BackupCourse): string {
  const last = message === null ? "" : `, and the last try ended with: ${message}`;
  return `no member of the shard can take a backup${last}`;
}

export const handler = loopHandler(backupClusterLoop(), openPorts);
