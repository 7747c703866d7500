import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { LogFile } from "../state/log-file.ts";

/** A server of its own process that must not outlive ours. */
export interface ChildProgram {
  readonly pid: number;
  /** Resolves when the process is gone, with how it went. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
}

const readyPollMs = 25;
/** A stop that takes longer is forced. */
const stopGraceMs = 3_000;

/**
 * Starts a program and waits until it answers. The kernel kills it when this process dies, however that happens
 * (setpriv sets the parent-death signal), so that the next start finds its port and its files free.
 */
export async function startChildProgram(options: {
  name: string;
  argv: readonly string[];
  environment: Readonly<Record<string, string>>;
  cwd: string;
  log: LogFile;
  answers: () => Promise<boolean>;
  startTimeoutMs: number;
}): Promise<ChildProgram> {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...options.argv], {
    cwd: options.cwd,
    env: options.environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.on("data", (data: Buffer) => options.log.append(data));
  child.stderr.on("data", (data: Buffer) => options.log.append(data));
  let ended: string | null = null;
  const exited = new Promise<string>((resolve) => {
    const end = (how: string) => {
      ended = how;
      resolve(how);
    };
    child.once("error", (error) => end(String(error)));
    child.once("exit", (code, signal) => end(`exit ${code ?? signal}`));
  });
  const deadline = Date.now() + options.startTimeoutMs;
  while (!(await options.answers())) {
    if (ended !== null) throw new Error(`${options.name} ended at its start (${ended}); its log says why`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${options.name} did not answer within ${options.startTimeoutMs} ms`);
    }
    await delay(readyPollMs);
  }
  // Something else that listens on the port would answer in its place.
  if (ended !== null || child.pid === undefined) {
    throw new Error(`${options.name} ended at its start (${ended}); its log says why`);
  }
  return { pid: child.pid, exited, stop: () => stop(child, exited) };
}

async function stop(child: ChildProcess, exited: Promise<string>): Promise<void> {
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), stopGraceMs);
  await exited;
  clearTimeout(force);
}

/** True when an HTTP server answers there, whatever it says. */
export async function answersHttp(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return true;
  } catch {
    // Not listening yet, or not answering: asked again until the deadline.
    return false;
  }
}
