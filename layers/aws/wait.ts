/** What an adapter waited for did not come to pass in time. Final: whoever asked decides what to do. */
export class DeadlineError extends Error {
  constructor(waitedFor: string, deadlineMs: number, options?: { cause: unknown }) {
    super(`${waitedFor} did not happen within ${Math.round(deadlineMs / 1000)} s`, options);
    this.name = "DeadlineError";
  }
}

/** First look after this; what we wait for is often done by then. */
const pauseMsMin = 40;
/** Rarer than this and a person would notice the slack. */
const pauseMsMax = 1_000;
/** A pause is at most this share of the time waited so far, so slack stays in proportion. */
const pauseShare = 0.1;

/** Looks again and again until `look` answers something, or the deadline passes. */
export async function waitFor<T>(
  what: string,
  deadlineMs: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const started = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    const waited = performance.now() - started;
    if (waited >= deadlineMs) throw new DeadlineError(what, deadlineMs);
    const pause = Math.min(Math.max(waited * pauseShare, pauseMsMin), pauseMsMax, deadlineMs - waited);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
