import { copyingUnit, inPlacePaths, recoveryUnit } from "../../domain/config/index.ts";
import type { Deadline } from "../deadline.ts";
import { stopUnit } from "../transient-unit.ts";
import { stopPostgres } from "../verbs/shut-down.ts";
import { dataDirectory, exists, move, remove } from "./data-directories.ts";
import { readNote, writeNote } from "./note.ts";
import { archivedTimeline } from "./timelines.ts";

/**
 * Puts what the operation has brought away, and what was there before in its place again. What was brought from what
 * another operation keeps goes back to that. Where nothing was changed, nothing is.
 */
export async function putBack(operationId: string, deadline: Deadline): Promise<void> {
  const paths = inPlacePaths(operationId);
  const { archivedTimeline: noted, tookFrom } = await readNote(operationId);
  const from = tookFrom === null ? null : inPlacePaths(tookFrom).aside;
  const isTaken = from !== null && !(await exists(from));
  if (!(await exists(paths.aside)) && !isTaken) return remove(paths.discarded);
  await stopUnit(copyingUnit(operationId), deadline.remainingMs);
  await stopUnit(recoveryUnit(operationId), deadline.remainingMs);
  await stopPostgres(deadline);
  const seen = await archivedTimeline(dataDirectory);
  const youngest = Math.max(noted ?? 0, seen ?? 0);
  const archived = youngest === 0 ? null : youngest;
  await writeNote(operationId, { isCopied: false, reached: null, archivedTimeline: archived });
  if (await exists(dataDirectory)) {
    if (isTaken) await move(dataDirectory, from);
    else {
      await remove(paths.discarded);
      await move(dataDirectory, paths.discarded);
    }
  }
  if (await exists(paths.aside)) await move(paths.aside, dataDirectory);
  await remove(paths.discarded);
}
