import { setTimeout as delay } from "node:timers/promises";

/** Conditions here turn true within a boot's second; looking is a read of one small file. */
const intervalMsDefault = 20;

/**
 * Waits until `look` answers something else than undefined.
 * @returns what it answered, or undefined at the deadline.
 */
export async function poll<T>(
  look: () => Promise<T | undefined> | T | undefined,
  options: { timeoutMs: number; intervalMs?: number },
): Promise<T | undefined> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined || performance.now() >= deadline) return seen;
    await delay(options.intervalMs ?? intervalMsDefault);
  }
}
