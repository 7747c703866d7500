import { connect } from "node:net";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import type { Survey } from "../../domain/node/inspect-verbs.ts";
import type { Peer } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { inspectSelf } from "../inspection.ts";
import { readOwnIntent } from "../own-intent.ts";
import { PeerClient } from "../peer-client.ts";
import { observeShard } from "./observe.ts";

/** A neighbour in another zone accepts within milliseconds; a lost first packet is sent again after a second. */
const connectTimeoutMs = 1_500;

/**
 * Whether something accepts connections there. Nothing is said, so nobody logs a visitor; that includes the PostgreSQL
 * behind the proxy, which takes a connection without a word for a health check.
 */
function accepts(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: connectTimeoutMs });
    const answer = (isOpen: boolean) => () => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", answer(true));
    socket.once("timeout", answer(false));
    socket.once("error", answer(false));
  });
}

async function look(peer: Peer): Promise<Survey["neighbours"][number]> {
  const ask = (service: Peer["services"][number], port: number): Promise<boolean | null> =>
    peer.services.includes(service) ? accepts(peer.address, port) : Promise.resolve(null);
  const [patroni, haproxy, pgbouncer] = await Promise.all([
    ask("postgres", nodePorts.patroni),
    ask("haproxy", nodePorts.any),
    ask("pgbouncer", nodePorts.pooled),
  ]);
  return { nodeId: peer.nodeId, patroni, haproxy, pgbouncer };
}

export const survey: VerbFunction<"survey"> = async (input) => {
  const intent = await readOwnIntent(input);
  using client = await PeerClient.open();
  const others = intent.peers.filter((peer) => peer.nodeId !== intent.nodeId);
  const [observation, neighbours, self] = await Promise.all([
    observeShard(client, intent),
    Promise.all(others.map(look)),
    inspectSelf(client, intent),
  ]);
  return { observation, neighbours, self };
};
