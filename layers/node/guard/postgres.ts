import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { nodePaths } from "../../domain/config/index.ts";
import { controlData } from "../control-data.ts";
import { Deadline } from "../deadline.ts";
import { readIfPresent } from "../files.ts";
import { serviceStates } from "../service-states.ts";

/** PostgreSQL's own immediate stop takes milliseconds; one that hangs is killed after this. */
const immediateStopMsMax = 500;
const goneCheckMs = 20;
/** A volume that does not answer must not keep the guard from acting. */
const controlDataMsMax = 500;

/** Every process of Patroni's unit: a PostgreSQL that has outlived its Patroni is still in there. */
async function processes(): Promise<number[]> {
  const text = (await readIfPresent(nodePaths.patroniProcesses)) ?? "";
  return text.split("\n").filter(Boolean).map(Number);
}

/** The first line of postmaster.pid, if that process runs: the file outlives its process. */
export async function postmaster(): Promise<number | null> {
  const text = (await readIfPresent(`${nodePaths.postgresData}/postmaster.pid`)) ?? "";
  const pid = Number.parseInt(text, 10);
  return (await processes()).includes(pid) ? pid : null;
}

/** Cheap enough for every look: it runs, and is not told to follow. */
export async function mayTakeWrites(): Promise<boolean> {
  const told = await readIfPresent(`${nodePaths.postgresData}/standby.signal`);
  return told === null && (await postmaster()) !== null;
}

/** A control file that cannot be read is no excuse: then it is taken for one that takes writes. */
export async function takesWrites(): Promise<boolean> {
  try {
    const data = await controlData(controlDataMsMax);
    return data?.state === "in production";
  } catch (error) {
    process.stderr.write(`the control file cannot be read: ${String(error)}\n`);
    return true;
  }
}

/** Somebody stops the service: Patroni answers nobody then, and still has to stop PostgreSQL in order. */
export async function isBeingStopped(): Promise<boolean> {
  const states = await serviceStates(["patroni.service"]);
  return states.get("patroni.service")?.isStopping === true;
}

function send(pid: number, signal: "SIGINT" | "SIGQUIT" | "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Clients are sent away at once, the shutdown checkpoint is made all the same. */
export function stopInOrder(pid: number): void {
  send(pid, "SIGINT");
}

/**
 * PostgreSQL first, so that it starts nothing anew. Then whatever is left in the unit, a Patroni that hangs among it; one
 * that lives is spared, if PostgreSQL is gone by then: it goes on telling others how this node is.
 */
export async function stopAtOnce(pid: number, patroniLives: boolean): Promise<void> {
  send(pid, "SIGQUIT");
  const deadline = new Deadline(immediateStopMsMax);
  while (!deadline.passed && (await processes()).includes(pid)) await sleep(goneCheckMs);
  if (patroniLives && !(await processes()).includes(pid)) return;
  send(pid, "SIGKILL");
  for (const left of await processes()) send(left, "SIGKILL");
}

/** Whether Patroni, when it last heard of the DCS, was told to keep its hands off. */
export async function wasPaused(): Promise<boolean> {
  try {
    const text = await readFile(`${nodePaths.postgresData}/patroni.dynamic.json`, "utf8");
    const configuration: unknown = JSON.parse(text);
    return isPause(configuration);
  } catch (error) {
    process.stderr.write(`Patroni's last configuration cannot be read: ${String(error)}\n`);
    return false;
  }
}

export function isPause(configuration: unknown): boolean {
  return (
    typeof configuration === "object" &&
    configuration !== null &&
    "pause" in configuration &&
    configuration.pause === true
  );
}
