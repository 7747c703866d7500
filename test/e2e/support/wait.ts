import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 400;

/**
 * Asks `probe` until it answers something else than undefined.
 * @throws at the deadline, with `what` and the last error that `probe` threw.
 */
export async function waitFor<T>(
  what: string,
  timeoutSeconds: number,
  probe: () => Promise<T | undefined>,
  intervalMs = pollMs,
): Promise<T> {
  const deadline = Date.now() + timeoutSeconds * 1000;
  let lastError: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined) return answer;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited ${timeoutSeconds} s in vain: ${what}`, { cause: lastError });
    }
    await sleep(intervalMs);
  }
}
