import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";

/** Names the directory in which test/run.ts lets recordings be left for the replay of permissions. */
export const recordingsVariable = "PGHERD_TEST_RECORDINGS";

/** Keeps what an environment recorded of its roles' permissions, which goes with its state directory. */
export async function keepRecording(stateDirectory: string, lane: string): Promise<void> {
  const directory = process.env[recordingsVariable];
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  await copyFile(join(stateDirectory, "permissions.jsonl"), join(directory, `${lane}.jsonl`));
}
