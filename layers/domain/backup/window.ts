import { z } from "zod";
import type { Backup } from "./backup.ts";
import { byInstant } from "./instant.ts";

/** Every moment from `earliest` to `latest` can be restored to. */
export const restoreWindowSchema = z.object({ earliest: z.iso.datetime(), latest: z.iso.datetime() });
export type RestoreWindow = z.infer<typeof restoreWindowSchema>;

/**
 * From the end of the first backup that WAL can be replayed on to the end of the last WAL segment in the archive. A
 * backup that has ended is consistent by itself, so the window reaches to its end at least. Null: there is no backup.
 * @param archivedUntil every commit up to then is in the archive; null: nobody knows
 */
export function restoreWindow(
  backups: readonly Pick<Backup, "engine" | "state" | "endedAt">[],
  archivedUntil: string | null,
): RestoreWindow | null {
  const ends = backups
    .flatMap(({ endedAt, engine, state }) =>
      engine === "pgbackrest" && state === "succeeded" && endedAt !== null ? [endedAt] : [],
    )
    .toSorted(byInstant);
  const [earliest] = ends;
  const last = ends.at(-1);
  if (earliest === undefined || last === undefined) return null;
  const isLater = archivedUntil !== null && byInstant(archivedUntil, last) > 0;
  return { earliest, latest: isLater ? archivedUntil : last };
}
