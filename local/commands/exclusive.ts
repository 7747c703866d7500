import { withLock } from "../environment/lock.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";

/** Whoever is at work may be building the node image, for which nobody wants to wait in silence. */
const lockTimeoutMs = 1_000;

/** One command at a time changes what runs in a state directory. */
export function exclusively(paths: EnvironmentPaths, work: () => Promise<void>): Promise<void> {
  const busy = `another npm start, stop or destroy is at work on ${paths.state}: wait until it has ended, or end it`;
  return withLock(`command ${paths.state}`, { timeoutMs: lockTimeoutMs, busy }, work);
}
