import { z } from "zod";
import type { Observation } from "../node/observation.ts";
import type { BackupEngine } from "./backup.ts";

/** Of work that nodes are told to do, one after the other until it is done. */
export const attemptFields = {
  attempts: z.int().default(0),
  /** Who was told last. */
  nodeId: z.string().nullable().default(null),
  /** Of the last attempt. `ended`: it is known that it came to nothing, and `message` says why. */
  attempt: z.enum(["none", "begun", "ended", "done"]).default("none"),
  message: z.string().nullable().default(null),
};

/** How far the taking of a backup has come, in `Operation.result`: whoever goes on begins here. */
export const backupCourseSchema = z.object({
  ...attemptFields,
  /** The stanza is there, and WAL arrives in the archive. */
  isReady: z.boolean().default(false),
  isRecorded: z.boolean().default(false),
  /** Of other backups, which the retention has given up. */
  removals: z.int().default(0),
  /** What the retention leaves nothing of is gone, or could not be removed now. */
  isTidy: z.boolean().default(false),
});
export type BackupCourse = z.infer<typeof backupCourseSchema>;

export type BackupAct =
  | { readonly kind: "prepare" }
  | { readonly kind: "take"; readonly nodeId: string; readonly attempt: number }
  | { readonly kind: "copy"; readonly nodeId: string; readonly attempt: number }
  | { readonly kind: "record" }
  /** Of another backup, which the retention gives up. */
  | { readonly kind: "remove"; readonly backupId: string }
  /** Removes the WAL that no backup needs any more. */
  | { readonly kind: "tidy" };

/** Once that many attempts found no replica, the leader takes the backup: an old backup is worse than some load. */
const attemptsForReplica = 3;

/** What decides beside the course of the backup and the members that there are. */
export interface BackupTerms {
  readonly engine: BackupEngine;
  readonly membersWanted: number;
}

/**
 * Replicas first that no commit waits for; those that failed before last. Null: there is nobody yet. What pg_dump reads
 * on a replica is lost where replay has to go on, and that can be so each time: then the leader takes it.
 */
export function whoTakes(
  members: Observation["members"],
  { attempts, nodeId: last }: Pick<BackupCourse, "attempts" | "nodeId">,
  { engine, membersWanted }: BackupTerms,
): string | null {
  const streaming = members.filter(({ role, state }) => role !== "leader" && state === "streaming");
  const inOrder = streaming.toSorted(
    (left, right) =>
      Number(left.nodeId === last) - Number(right.nodeId === last) ||
      Number(left.role === "sync-standby") - Number(right.role === "sync-standby") ||
      (left.nodeId < right.nodeId ? -1 : 1),
  );
  const leader = members.find(({ role, state }) => role === "leader" && state === "running");
  const isPatienceOver = attempts >= attemptsForReplica;
  if (engine === "pg_dump" && isPatienceOver && leader !== undefined) return leader.nodeId;
  const [best] = inOrder;
  if (best !== undefined) return best.nodeId;
  return membersWanted === 1 || isPatienceOver ? (leader?.nodeId ?? null) : null;
}

/** What comes next until the backup is on record; null: it is. `nobody`: no node can take the backup now. */
export function nextBackupAct(
  course: BackupCourse,
  members: Observation["members"],
  terms: BackupTerms,
): BackupAct | "nobody" | null {
  const { attempts, nodeId } = course;
  if (course.isRecorded) return null;
  if (course.attempt === "done") return { kind: "record" };
  if (!course.isReady) return { kind: "prepare" };
  if (course.attempt === "begun" && nodeId !== null) return { kind: "copy", nodeId, attempt: attempts };
  const next = whoTakes(members, course, terms);
  return next === null ? "nobody" : { kind: "take", nodeId: next, attempt: attempts + 1 };
}
