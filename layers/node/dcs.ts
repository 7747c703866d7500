import { z } from "zod";
import { nodePorts } from "../domain/cluster/node-ports.ts";
import { dcsPeers } from "../domain/config/index.ts";
import type { NodeIntent, Observation, Peer } from "../domain/node/protocol.ts";
import { Deadline } from "./deadline.ts";
import { NodeFailure } from "./failure.ts";
import { PeerClient } from "./peer-client.ts";

/** An etcd that is well answers within milliseconds. */
const statusTimeoutMs = 800;
/** Before it is said that a majority is missing: a machine that is busy is not one that is lost. */
const patientTimeoutMs = 3_000;
/** etcd members start at the same time as this node. */
const dcsDeadlineMs = 60_000;

/** etcd's gRPC gateway writes 64-bit numbers as text and leaves out zeros. */
const statusSchema = z.object({
  header: z.object({ member_id: z.string() }),
  leader: z.string().optional(),
});

type DcsMember = Observation["dcs"]["members"][number];

/** A member is healthy when it answers and knows a leader. */
async function askMember(client: PeerClient, peer: Peer, timeoutMs: number): Promise<DcsMember> {
  try {
    const answer = await client.post(
      peer.address,
      nodePorts.etcdClient,
      "/v3/maintenance/status",
      timeoutMs,
      {},
    );
    const status = statusSchema.parse(answer.body);
    const leader = status.leader ?? "0";
    return { nodeId: peer.nodeId, healthy: leader !== "0", leader: leader === status.header.member_id };
  } catch {
    // It does not answer, or not as etcd does: that is what was asked.
    return { nodeId: peer.nodeId, healthy: false, leader: false };
  }
}

export async function observeDcs(client: PeerClient, peers: readonly Peer[]): Promise<Observation["dcs"]> {
  const seen = await askMembers(client, peers, statusTimeoutMs);
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
