import { spawn } from "node:child_process";
import { openSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ControlPlaneMessage } from "../control-plane/main.ts";
import { answersHttp } from "../endpoints/child-program.ts";
import { writeEnvironmentFile } from "../environment/client-files.ts";
import { readIfThere, writeAtomically } from "../environment/files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { endProcess, findProcesses } from "../environment/processes.ts";
import { addressesOf, type EnvironmentSettings } from "../environment/settings.ts";
import { UserError } from "./terminal.ts";

const program = join(import.meta.dirname, "..", "control-plane", "main.ts");
/** In the command line of every control plane and of nothing else. */
const programWord = "local/control-plane/main.ts";
/** Java, a deployment and the boot of every machine, on two busy cores. */
const startTimeoutMs = 180_000;
/** Functions get the time to end what they are at; operations go on after the next start. */
const stopGraceMs = 15_000;
/** What Node.js itself prints is a stack now and then; beyond this the file begins anew. */
const outputBytesMax = 5 * 1024 * 1024;

const environmentFileSchema = z.object({ pids: z.object({ controlPlane: z.number().optional() }).loose() });

/** Control planes of this state directory, also one that has not begun to serve or hangs. */
function controlPlanes(paths: EnvironmentPaths): Promise<number[]> {
  return findProcesses(programWord, "PGHERD_STATE_DIR", paths.state);
}

/** The process id of the control plane that serves now; null when there is none. */
export async function runningControlPlane(
  paths: EnvironmentPaths,
  settings: EnvironmentSettings,
): Promise<number | null> {
  const text = await readIfThere(paths.environmentFile);
  if (text === null) return null;
  const pid = environmentFileSchema.parse(JSON.parse(text)).pids.controlPlane;
  if (pid === undefined || !(await controlPlanes(paths)).includes(pid)) return null;
  return (await answersHttp(`${addressesOf(settings).api}/healthz`)) ? pid : null;
}

/** What the control plane that serves was started with; null when that is not known. */
export function readServing(paths: EnvironmentPaths): Promise<string | null> {
  return readIfThere(paths.serving);
}

/** Starts the control plane in the background and returns when it serves. */
export async function launchControlPlane(
  paths: EnvironmentPaths,
  prepared: { imagePath: string; dynamoDbLibraries: string; stageDirectory: string },
  version: string,
  onProgress: (line: string) => void,
): Promise<void> {
  await mkdir(paths.logs, { recursive: true, mode: 0o700 });
  const outputFile = join(paths.logs, "control-plane.out");
  const full = (statSync(outputFile, { throwIfNoEntry: false })?.size ?? 0) > outputBytesMax;
  const output = openSync(outputFile, full ? "w" : "a", 0o600);
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", program, JSON.stringify(prepared)],
    {
      cwd: "/",
      detached: true,
      stdio: ["ignore", output, output, "ipc"],
      env: { ...process.env, PGHERD_STATE_DIR: paths.state, PGHERD_CACHE_DIR: paths.cache },
    },
  );
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(
        new UserError(
          `the control plane did not start within ${startTimeoutMs / 1000} s; ${whereToLook(paths)}`,
        ),
      );
    }, startTimeoutMs);
    child.on("message", (message: ControlPlaneMessage) => {
      switch (message.kind) {
        case "progress":
          onProgress(message.line);
          break;
        case "ready":
          clearTimeout(timer);
          resolve();
          break;
        case "failed":
          clearTimeout(timer);
          reject(new UserError(`the control plane did not start: ${message.message}; ${whereToLook(paths)}`));
          break;
      }
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      reject(
        new UserError(`the control plane ended at its start (${code ?? signal}); ${whereToLook(paths)}`),
      );
    });
  });
  child.removeAllListeners("exit");
  if (child.connected) child.disconnect();
  child.unref();
  await writeAtomically(paths.serving, version, 0o600);
}

function whereToLook(paths: EnvironmentPaths): string {
  return `${paths.logs} says why`;
}

/** Asks the control plane to start machines that should run and do not. */
export function askForRepair(pid: number): void {
  process.kill(pid, "SIGHUP");
}

/** Ends every control plane of the state directory, whatever state it is in. */
export async function stopControlPlane(
  paths: EnvironmentPaths,
  settings: EnvironmentSettings,
): Promise<void> {
  for (const pid of await controlPlanes(paths)) await endProcess(pid, programWord, stopGraceMs);
  // Numbers of processes that have ended are given to others.
  if ((await readIfThere(paths.environmentFile)) !== null) await writeEnvironmentFile(paths, settings, {});
}
