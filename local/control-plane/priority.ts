import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";

/**
 * Requests stay quick while machines are busy: the kernel gives this process and its children nine times the share of
 * an ordinary one. Not more: databases must not starve either.
 */
const niceness = -10;

/**
 * Lets the control plane go first. Where Linux groups processes by session, niceness counts only inside of a session
 * and a whole session has the share of one process (sched(7), "The autogroup feature"): every service of every machine
 * is a session of its own, and so is the control plane with all its children. The session's own niceness is set as
 * well.
 */
export function goFirst(): void {
  setPriority(niceness);
  try {
    writeFileSync("/proc/self/autogroup", String(niceness));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    // This kernel does not group by session: niceness counts as it is.
  }
}
