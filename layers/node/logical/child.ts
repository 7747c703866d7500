import { type ChildProcess, spawn } from "node:child_process";
import { open, readdir, readFile, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { NodeFailure } from "../failure.ts";
import { isMissing } from "../files.ts";

/** A program that runs for hours beside ours, as PostgreSQL's user, in a process group of its own. */

/** As much of what it complains of as a person wants to read. */
const complaintCharactersMax = 2000;

export interface Child {
  readonly pid: number;
  /** Rejects with what it complained of last. @throws {NodeFailure} `program-failed` */
  readonly ended: Promise<void>;
  hasEnded(): boolean;
  /** All of its processes stand still until they are told to go on. */
  hold(): void;
  goOn(): void;
  kill(): void;
}

export function startAsPostgres(program: string, args: readonly string[]): Child {
  const identity = ["--reuid=postgres", "--regid=postgres", "--init-groups", "--inh-caps=-all"];
  const child = spawn("setpriv", [...identity, program, ...args], {
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" },
  });
  return watch(child, program);
}

function watch(child: ChildProcess, program: string): Child {
  const { pid } = child;
  let said = "";
  let isOver = false;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-complaintCharactersMax);
  });
  const ended = new Promise<void>((resolve, reject) => {
    const fail = (message: string, cause?: unknown) =>
      reject(new NodeFailure(message, { code: "program-failed", cause }));
    child.on("error", (error) => fail(`${program} could not be run`, error));
    child.on("close", (code, signal) => {
      isOver = true;
      if (code === 0) resolve();
      else fail(said.trim() || `${program} ended with ${code ?? signal ?? "no reason"}`);
    });
  });
  // Whoever waits for it hears of it; until then it is no unhandled rejection.
  ended.catch(() => undefined);
  const signal = (name: NodeJS.Signals): void => {
    if (pid === undefined || isOver) return;
    try {
      process.kill(-pid, name);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  };
  return {
    pid: pid ?? 0,
    ended,
    hasEnded: () => isOver,
    hold: () => signal("SIGSTOP"),
    goOn: () => signal("SIGCONT"),
    kill: () => signal("SIGKILL"),
  };
}

const numeric = /^\d+$/;
/** After the name of the program, which may hold anything: state, parent, process group. */
const groupInStat = /\) \S \d+ (\d+) /;

/** Paths that any process of a group has open. */
export async function openFilesOf(group: number): Promise<ReadonlySet<string>> {
  const paths = new Set<string>();
  for (const pid of await readdir("/proc")) {
    if (!numeric.test(pid)) continue;
    const status = await orNothing(() => readFile(`/proc/${pid}/stat`, "utf8"));
    if (Number(groupInStat.exec(status ?? "")?.[1]) !== group) continue;
    for (const descriptor of (await orNothing(() => readdir(`/proc/${pid}/fd`))) ?? []) {
      const path = await orNothing(() => readlink(`/proc/${pid}/fd/${descriptor}`));
      if (path !== null) paths.add(path);
    }
  }
  return paths;
}

/**
 * What nobody seems to have open is taken for complete, so whoever goes by that asks first whether it can be seen here.
 * @throws {NodeFailure} `open-files-unseen`
 */
export async function checkOpenFilesSeen(directory: string): Promise<void> {
  const path = join(directory, "probe");
  const handle = await open(path, "w");
  try {
    const own = Number(groupInStat.exec(await readFile("/proc/self/stat", "utf8"))?.[1]);
    if ((await openFilesOf(own)).has(path)) return;
    throw new NodeFailure("this machine does not say which files a process has open", {
      code: "open-files-unseen",
    });
  } finally {
    await handle.close();
    await rm(path, { force: true });
  }
}

/** Null where the process, or what it had open, is gone by now. */
async function orNothing<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    const isGone = isMissing(error) || (error instanceof Error && "code" in error && error.code === "ESRCH");
    if (isGone) return null;
    throw error;
  }
}
