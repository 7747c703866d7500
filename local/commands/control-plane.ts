import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ControlPlaneMessage } from "../control-plane/main.ts";
import { readIfThere } from "../environment/files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { endProcess, isOurs } from "../environment/processes.ts";
import { UserError } from "./terminal.ts";

const program = join(import.meta.dirname, "..", "control-plane", "main.ts");
/** In the command line of every control plane and of nothing else. */
const programWord = "local/control-plane/main.ts";
/** Java, a deployment and the boot of every machine, on two busy cores. */
const startTimeoutMs = 180_000;
/** Functions get the time to end what they are at; operations go on after the next start. */
const stopGraceMs = 15_000;

const environmentFileSchema = z.object({ pids: z.object({ controlPlane: z.number() }).loose() });

/** The process id of the control plane that serves now; null when there is none. */
export async function runningControlPlane(paths: EnvironmentPaths): Promise<number | null> {
  const text = await readIfThere(paths.environmentFile);
  if (text === null) return null;
  const { pids } = environmentFileSchema.parse(JSON.parse(text));
  return (await isOurs(pids.controlPlane, programWord)) ? pids.controlPlane : null;
}

/** Starts the control plane in the background and returns when it serves. */
export async function launchControlPlane(
  paths: EnvironmentPaths,
  prepared: { imagePath: string; dynamoDbLibraries: string; stageDirectory: string },
  onProgress: (line: string) => void,
): Promise<void> {
  await mkdir(paths.logs, { recursive: true, mode: 0o700 });
  const output = openSync(join(paths.logs, "control-plane.out"), "a", 0o600);
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
}

function whereToLook(paths: EnvironmentPaths): string {
  return `${paths.logs} says why`;
}

/** Asks the control plane to start machines that should run and do not. */
export function askForRepair(pid: number): void {
  process.kill(pid, "SIGHUP");
}

export async function stopControlPlane(paths: EnvironmentPaths): Promise<void> {
  const pid = await runningControlPlane(paths);
  if (pid !== null) await endProcess(pid, programWord, stopGraceMs);
}
