import { z } from "zod";

/** Patroni's maintenance mode: nothing fails over and nothing is repaired by itself. */
export const pauseSchema = z.object({
  since: z.iso.datetime(),
  /** When pgherd ends it; null: only when someone resumes. */
  until: z.iso.datetime().nullable(),
});
export type Pause = z.infer<typeof pauseSchema>;

/** What a cluster's statusReason says beside everything else while it is paused; null while it is not. */
function pauseReminder(paused: Pause | null): string | null {
  if (paused === null) return null;
  const end = paused.until === null ? "until someone resumes it" : `until ${paused.until}`;
  return `Paused since ${paused.since}: nothing fails over by itself ${end}.`;
}

/** A sentence about the cluster, with the reminder behind it. */
export function withPauseReminder(sentence: string, paused: Pause | null): string {
  const reminder = pauseReminder(paused);
  return reminder === null ? sentence : `${sentence} ${reminder}`;
}
