import { dcsPeers } from "../domain/config/index.ts";
import type { NodeIntent, Observation, Peer } from "../domain/node/protocol.ts";
import { askDcsStatus, dcsStatusTimeoutMs } from "./dcs-status.ts";
import { Deadline } from "./deadline.ts";
import { NodeFailure } from "./failure.ts";
import { PeerClient } from "./peer-client.ts";

/** Before it is said that a majority is missing: a machine that is busy is not one that is lost. */
const patientTimeoutMs = 3_000;
/** etcd members start at the same time as this node. */
const dcsDeadlineMs = 60_000;

type DcsMember = Observation["dcs"]["members"][number];

/** A member is healthy when it answers and knows a leader. */
async function askMember(client: PeerClient, peer: Peer, timeoutMs: number): Promise<DcsMember> {
  try {
    const { knowsLeader, isLeader, dbBytes } = await askDcsStatus(client, peer.address, timeoutMs);
    return { nodeId: peer.nodeId, healthy: knowsLeader, leader: isLeader, dbBytes };
  } catch {
    // It does not answer, or not as etcd does: that is what was asked.
    return { nodeId: peer.nodeId, healthy: false, leader: false };
  }
}

export async function observeDcs(client: PeerClient, peers: readonly Peer[]): Promise<Observation["dcs"]> {
  const seen = await askMembers(client, peers, dcsStatusTimeoutMs);
  return seen.quorum ? seen : await askMembers(client, peers, patientTimeoutMs);
}

async function askMembers(
  client: PeerClient,
  peers: readonly Peer[],
  timeoutMs: number,
): Promise<Observation["dcs"]> {
  const members = await Promise.all(dcsPeers(peers).map((peer) => askMember(client, peer, timeoutMs)));
  const healthy = members.filter((member) => member.healthy).length;
  return { quorum: healthy > members.length / 2, members };
}

/** Returns when a majority of etcd answers. */
export async function awaitDcs(intent: NodeIntent): Promise<void> {
  using client = await PeerClient.open();
  await new Deadline(dcsDeadlineMs).until(
    async () => ((await observeDcs(client, intent.peers)).quorum ? true : null),
    () => new NodeFailure("no majority of the etcd members answers", { code: "no-dcs" }),
  );
}
