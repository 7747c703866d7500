import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseRecord, type RecordedStage } from "../../../local/permissions/record.ts";
import type { PermissionUse } from "../../../local/permissions/use.ts";
import { recordingsVariable } from "../../e2e/support/recording.ts";

/** The kinds of tests whose environments are recorded: each uses what the other does not. */
export const lanes = ["e2e", "clusters", "backups"] as const;

export interface Recording {
  readonly stage: RecordedStage;
  readonly uses: readonly PermissionUse[];
}

/** @throws with what to run, where a recording is missing. */
export function readRecordings(): Promise<readonly Recording[]> {
  return Promise.all(lanes.map(readRecording));
}

async function readRecording(lane: string): Promise<Recording> {
  const directory = process.env[recordingsVariable];
  if (directory === undefined) {
    throw new Error(
      `There is nothing to replay: "npm test -- ${lanes.join(" ")} permissions" records first. ${recordingsVariable} names a directory with recordings from before.`,
    );
  }
  const file = join(directory, `${lane}.jsonl`);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new Error(`The tests of the kind ${lane} left no recording in ${directory}: run them as well.`, {
      cause,
    });
  });
  return recordingOf(file, text);
}

export function recordingOf(file: string, text: string): Recording {
  const lines = parseRecord(text);
  if (lines.some(({ kind }) => kind === "full")) throw new Error(`${file} did not have room for everything`);
  const stage = lines.findLast((line) => line.kind === "stage");
  if (stage === undefined) throw new Error(`${file} does not say what the stage's resources were called`);
  return { stage, uses: lines.filter((line) => line.kind === "use") };
}
