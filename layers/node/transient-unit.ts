import { nodePaths } from "../domain/config/index.ts";
import { run } from "./process.ts";

/**
 * Work that outlives the command which started it: a unit of systemd without a file. It keeps its outcome until somebody
 * clears it, or the machine restarts.
 */

/**
 * `absent`: nobody has started it since the last boot, it was cleared, or it ended well without `RemainAfterExit=yes`.
 * `ended` are only those that have it.
 */
export type UnitOutcome = "absent" | "running" | "ended" | "failed";

export async function outcomeOf(unit: string): Promise<UnitOutcome> {
  const { stdout } = await run("systemctl", ["show", "--property=ActiveState,SubState", unit]);
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, "m").exec(stdout)?.[1] ?? "";
  const state = value("ActiveState");
  if (state === "failed") return "failed";
  if (state === "active" && value("SubState") === "exited") return "ended";
  return state === "inactive" || state === "" ? "absent" : "running";
}

/** What all of them have: nothing of the system can be changed but what each names. */
const confined = [
  "Type=exec",
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateTmp=yes",
];

/** Of work that everything else comes before. */
export const background: readonly string[] = ["CPUWeight=20", "IOWeight=20", "OOMScoreAdjust=200"];

/** The program that was sent with this command: the one that configured the node may be older. */
export const ownProgram = (heapMiB: number, ...args: string[]): string[] => [
  process.execPath,
  `--max-old-space-size=${heapMiB}`,
  process.argv[1] ?? nodePaths.ownProgram,
  ...args,
];

/** @param properties beside those that all have, as `systemd-run --property` takes them */
export async function startUnit(
  unit: string,
  properties: readonly string[],
  command: readonly string[],
): Promise<void> {
  await clear(unit);
  await run("systemd-run", [
    `--unit=${unit}`,
    "--quiet",
    ...[...confined, ...properties].map((property) => `--property=${property}`),
    "--",
    ...command,
  ]);
}

/** 5: there is no such unit. */
const noSuchUnit = [5];

/** What it does can be begun again: nobody has to wait for an end in good order. */
const stopMs = 60_000;

/** Ends it, if it runs, and forgets its outcome. */
export async function stopUnit(unit: string, timeoutMs = stopMs): Promise<void> {
  await run("systemctl", ["stop", unit], { timeoutMs: Math.max(1, timeoutMs), answers: noSuchUnit });
  await clear(unit);
}

/** It is `absent` when it has ended. */
export async function askToStop(unit: string): Promise<void> {
  await run("systemctl", ["stop", "--no-block", unit], { answers: noSuchUnit });
}

async function clear(unit: string): Promise<void> {
  await run("systemctl", ["reset-failed", unit], { answers: [1] });
}

const linesUsual = 400;

/** The last that it has said. */
export async function lastLines(unit: string, count = linesUsual): Promise<string[]> {
  const { stdout } = await run("journalctl", [
    `--unit=${unit}`,
    `--lines=${count}`,
    "--output=cat",
    "--no-pager",
    "--quiet",
  ]);
  return stdout.split("\n");
}

const lastWordsMax = 5;

/** Why one that has failed did, where nothing else says so. */
export async function lastWords(unit: string): Promise<string> {
  const lines = (await lastLines(unit, lastWordsMax)).filter((line) => line.trim() !== "");
  return lines.length === 0 ? "it ended without a word" : lines.join("; ");
}
