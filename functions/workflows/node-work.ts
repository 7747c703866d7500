import type { BackupProgress } from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import type { BackupDeadlines } from "./backup-cluster/deadlines.ts";
import type { ClusterScope } from "./create-cluster/records.ts";
import { isCancelled } from "./still-at-work.ts";

/** Work that a node does by itself once it is told, and that a workflow looks at until it has come to an end. */
export interface Standing {
  readonly state: "absent" | "running" | "failed" | "done";
  readonly message: string | null;
  readonly progress: BackupProgress | null;
}

/** By no means from memory: how it was the last time says nothing about now. */
export const once = (step: string): string => `${step}-${newId("request")}`;

const pauseMsMax = 60_000;

/** What made the last attempt come to nothing may pass. @param pauseMs before the second one; it doubles with each */
export async function pauseBefore(attempt: number, pauseMs: number): Promise<void> {
  const ms = attempt === 1 ? 0 : Math.min(pauseMs * 2 ** (attempt - 2), pauseMsMax);
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Why one has ended that says nothing. */
export const withoutAWord = "it is gone without a word, as after a restart of the machine";

export const mib = (bytes: number): number => Math.round(bytes / 1024 ** 2);

function detailOf(standing: Standing | null): string {
  if (standing === null) return "The node does not answer.";
  const { progress } = standing;
  if (progress === null) return "It is about to begin.";
  return `${mib(progress.bytesDone)} of ${mib(progress.bytesTotal)} MiB`;
}

export interface Watching<S extends Standing> {
  /** Null: the node does not answer. */
  readonly look: () => Promise<S | null>;
  /** What is said of its end; null: it goes on. `isLost`: nothing has been heard of it for too long. */
  readonly conclude: (standing: S | null, isLost: boolean) => Promise<string | null>;
  /** For more than the operation's step. */
  readonly tell?: (standing: S) => Promise<void>;
}

/** Looks until it is done, or came to nothing, or the slice is over. */
export async function watch<S extends Standing>(
  scope: ClusterScope,
  step: string,
  { lookMs, silenceMs, sliceMs }: Pick<BackupDeadlines, "lookMs" | "silenceMs" | "sliceMs">,
  { conclude, look, tell }: Watching<S>,
): Promise<string> {
  const { operationId, ports } = scope;
  const startedAt = new Date().toISOString();
  const deadline = Date.now() + sliceMs;
  let heardAt = Date.now();
  for (;;) {
    if (await isCancelled(scope)) return "It is cancelled.";
    const standing = await look();
    if (standing !== null) heardAt = Date.now();
    const said = await conclude(standing, Date.now() - heardAt > silenceMs);
    if (said !== null) return said;
    if (standing !== null) await tell?.(standing);
    const detail = detailOf(standing);
    const told = { name: step, state: "running", startedAt, endedAt: null, detail } as const;
    await ports.store.updateStep(operationId, told);
    if (Date.now() > deadline) return detail;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
