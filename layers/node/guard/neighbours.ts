import { z } from "zod";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import type { PeerClient } from "../peer-client.ts";
import { isPause, wasPaused } from "./postgres.ts";

/** Neighbours that are well answer within milliseconds, and there is no time to lose. */
const neighbourMsMax = 500;
/** Patroni's own word: its loop has run within the life of the leader's key. */
const lives = 200;
const loopback = "127.0.0.1";

const memberSchema = z.object({ role: z.string() });

type Client = Pick<PeerClient, "get" | "status">;

/** Neighbours know what counts now; with none to ask, what Patroni itself was told last. */
export async function isPaused(client: Client, neighbours: readonly string[]): Promise<boolean> {
  const answers = (await askAll(client, neighbours, "/config")).filter((answer) => answer !== null);
  return answers.length === 0 ? wasPaused() : answers.every(isPause);
}

export async function patroniLives(client: Client): Promise<boolean> {
  const asked = client.status(loopback, nodePorts.patroni, "/liveness", neighbourMsMax);
  // Refused or silent is no sign of life.
  return (await asked.catch(() => null)) === lives;
}

/**
 * Without etcd nobody is promoted while this Patroni lives and says so: who wants to be asks every member first. It
 * holds only if every neighbour can be reached, and none leads already.
 */
export async function isUndisputed(client: Client, neighbours: readonly string[]): Promise<boolean> {
  const [own, answers] = await Promise.all([patroniLives(client), askAll(client, neighbours, "/patroni")]);
  return own && answers.every(follows);
}

function follows(answer: unknown): boolean {
  const member = memberSchema.safeParse(answer);
  return member.success && member.data.role !== "primary";
}

/** Null for each that does not answer. */
async function askAll(client: Client, neighbours: readonly string[], path: string): Promise<unknown[]> {
  const asked = await Promise.allSettled(
    neighbours.map((address) => client.get(address, nodePorts.patroni, path, neighbourMsMax)),
  );
  return asked.map((one) => (one.status === "fulfilled" ? one.value.body : null));
}
