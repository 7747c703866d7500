import { dcsPeers } from "../../domain/config/index.ts";
import type { NodeIntent, Peer } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { moveDcsLeader as move } from "../dcs-leader.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";

const loopback = "127.0.0.1";

async function databaseLeaders(client: PeerClient, intent: NodeIntent): Promise<readonly string[]> {
  const hasPatroni = intent.peers
    .find(({ nodeId }) => nodeId === intent.nodeId)
    ?.services.includes("postgres");
  const address = hasPatroni
    ? loopback
    : intent.peers.find(({ services }) => services.includes("postgres"))?.address;
  if (address === undefined) return [];
  const members = await observeMembers(client, address);
  return members.filter(({ role }) => role === "leader").map(({ nodeId }) => nodeId);
}

/** Losing both leaders with one node would add an election and a whole lease to the failover. */
export const moveDcsLeader: VerbFunction<"move-dcs-leader"> = async ({ to, ...self }) => {
  const intent = await readOwnIntent(self);
  using client = await PeerClient.open();
  const leaders = to === null ? await databaseLeaders(client, intent) : [];
  const isGood = ({ nodeId }: Peer): boolean => (to === null ? !leaders.includes(nodeId) : nodeId === to);
  const peers = dcsPeers(intent.peers);
  const good = peers.filter(isGood).map(({ address }) => address);
  const addresses = peers.map(({ address }) => address);
  const { address, moved } = await move(client, addresses, (one) => good.includes(one));
  const leader = peers.find((peer) => peer.address === address)?.nodeId ?? "";
  if (to !== null && leader !== to)
    throw new NodeFailure(`etcd on ${to} does not answer`, { code: "dcs-member-silent" });
  return { leader, moved };
};
