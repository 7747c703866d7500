import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import {
  configurationFiles,
  type GuardSettings,
  guardSettingsSchema,
  nodePaths,
} from "../../domain/config/index.ts";
import { readIfPresent } from "../files.ts";
import { PeerClient } from "../peer-client.ts";
import {
  isBeingStopped,
  isPause,
  postmaster,
  stopAtOnce,
  stopInOrder,
  takesWrites,
  wasPaused,
} from "./postgres.ts";

/**
 * The guard of a node: PostgreSQL outlives a Patroni that dies or hangs, and somebody else is promoted when the
 * leader's key runs out. Before that, the guard stops a PostgreSQL that takes writes (docs/decisions/guard.md).
 */

const loopback = "127.0.0.1";
/** Patroni's own word: its loop has run within the life of the leader's key. */
const signPath = "/liveness";
const lives = 200;
const lookMs = 1_000;
/** On a busy machine a handshake with Patroni takes some hundred milliseconds. */
const answerMsMax = 2_000;
/** Neighbours that are well answer within milliseconds, and there is no time to lose. */
const neighbourMsMax = 500;

/** Since the machine's boot, so that a guard that is started again goes on where the last one was. */
const uptimeMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function patroniLives(timeoutMs: number): Promise<boolean> {
  try {
    // Opened for each question: certificates are renewed, and Patroni keeps no connection.
    using client = await PeerClient.open();
    return (await client.status(loopback, nodePorts.patroni, signPath, timeoutMs)) === lives;
  } catch {
    // Refused, silent, or not to be understood: no sign of life.
    return false;
  }
}

/** Neighbours know what counts now; with none to ask, what Patroni itself was told last. */
async function isPaused(neighbours: readonly string[]): Promise<boolean> {
  using client = await PeerClient.open();
  const asked = await Promise.allSettled(
    neighbours.map((address) => client.get(address, nodePorts.patroni, "/config", neighbourMsMax)),
  );
  const answers = asked.flatMap((one) => (one.status === "fulfilled" ? [one.value.body] : []));
  return answers.length === 0 ? wasPaused() : answers.every(isPause);
}

/** Says whether PostgreSQL was stopped: then Patroni gets its whole time again. */
async function act(settings: GuardSettings, silentMs: number): Promise<boolean> {
  // Nobody else can be promoted.
  if (settings.neighbours.length === 0) return false;
  const pid = await postmaster();
  if (pid === null || !(await takesWrites())) return false;
  const [paused, stopping] = await Promise.all([isPaused(settings.neighbours), isBeingStopped()]);
  if (paused) return false;
  say(`Patroni has given no sign of life for ${silentMs} ms: PostgreSQL (process ${pid}) is stopped`);
  if (stopping) stopInOrder(pid);
  else await stopAtOnce(pid);
  return true;
}

async function lastSign(): Promise<number> {
  const noted = Number.parseInt((await readIfPresent(nodePaths.guardSign)) ?? "", 10);
  return Number.isNaN(noted) ? uptimeMs() : noted;
}

export async function keepGuard(): Promise<void> {
  const settings = guardSettingsSchema.parse(JSON.parse(await readFile(configurationFiles.guard, "utf8")));
  let signMs = await lastSign();
  /** Until it is time to act; once it is, until the next look. */
  const patienceMs = (): number => {
    const leftMs = signMs + settings.silenceMs - uptimeMs();
    return leftMs > 0 ? leftMs : lookMs;
  };
  for (;;) {
    const askedMs = uptimeMs();
    if (await patroniLives(Math.min(answerMsMax, patienceMs()))) {
      // It lived when it was asked; when it answered, it may have been about to die.
      signMs = askedMs;
      await writeFile(nodePaths.guardSign, `${signMs}\n`);
    }
    const silentMs = uptimeMs() - signMs;
    if (silentMs >= settings.silenceMs && (await act(settings, silentMs))) signMs = uptimeMs();
    await sleep(Math.max(0, Math.min(askedMs + lookMs - uptimeMs(), patienceMs())));
  }
}
