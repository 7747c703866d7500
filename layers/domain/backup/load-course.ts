import { z } from "zod";
import { attemptFields } from "./course.ts";

/** How far the loading of a database has come, in `Operation.result`: whoever goes on begins here. */
export const loadCourseSchema = z.object({
  ...attemptFields,
  /** Another attempt would come to the same. */
  isFinal: z.boolean().default(false),
  /** What only the loading needed is gone. */
  isSettled: z.boolean().default(false),
});
export type LoadCourse = z.infer<typeof loadCourseSchema>;

export type LoadAct =
  | { readonly kind: "load"; readonly nodeId: string; readonly attempt: number }
  | { readonly kind: "watch"; readonly nodeId: string; readonly attempt: number }
  | { readonly kind: "settle"; readonly nodeId: string };

/**
 * What comes next; null: all is done. `nobody`: there is no leader that could load it now. `failed`: nothing more is
 * tried, and nothing of it is left.
 */
export function nextLoadAct(
  course: LoadCourse,
  leader: string | null,
  attemptsMax: number,
): LoadAct | "nobody" | "failed" | null {
  const { attempt, attempts, isFinal, isSettled, nodeId } = course;
  const isDone = attempt === "done";
  const isGivenUp = attempt === "ended" && (isFinal || attempts >= attemptsMax);
  if ((isDone || isGivenUp) && isSettled) return isDone ? null : "failed";
  if (attempt === "begun" && nodeId !== null) return { kind: "watch", nodeId, attempt: attempts };
  if (leader === null) return "nobody";
  if (isDone || isGivenUp) return { kind: "settle", nodeId: leader };
  return { kind: "load", nodeId: leader, attempt: attempts + 1 };
}
