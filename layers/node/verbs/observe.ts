import type { NodeIntent, Observation } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { observeDcs } from "../dcs.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";

const loopback = "127.0.0.1";

/** The node's own Patroni knows; if it is away, a neighbour's does. */
async function askAnyPatroni(client: PeerClient, intent: NodeIntent): Promise<Observation["members"]> {
  const shard = intent.peers.find((peer) => peer.nodeId === intent.nodeId)?.shard ?? 0;
  const neighbours = intent.peers.filter(
    (peer) => peer.shard === shard && peer.nodeId !== intent.nodeId && peer.services.includes("postgres"),
  );
  const ask = (address: string) => observeMembers(client, address);
  try {
    // At once: those that are away keep silent for as long as they are listened to.
    return await ask(loopback).catch((own: unknown) =>
      Promise.any([Promise.reject(own), ...neighbours.map((peer) => ask(peer.address))]),
    );
  } catch (cause) {
    throw new NodeFailure("no Patroni of the shard answers", { code: "patroni-silent", cause });
  }
}

/** What Patroni and etcd of the node's shard say now. */
export async function observeShard(client: PeerClient, intent: NodeIntent): Promise<Observation> {
  const [asked, dcs] = await Promise.all([
    askAnyPatroni(client, intent).catch((error: unknown) => error),
    observeDcs(client, intent.peers),
  ]);
  if (Array.isArray(asked)) return { members: asked, dcs };
  // Patroni cannot tell who is a member while etcd has no majority, and that is the answer.
  if (!dcs.quorum) return { members: [], dcs };
  throw asked;
}

export const observe: VerbFunction<"observe"> = async (input) => {
  const intent = await readOwnIntent(input);
  using client = await PeerClient.open();
  return await observeShard(client, intent);
};
