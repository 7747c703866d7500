import { z } from "zod";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import { dcsPeers } from "../../domain/config/index.ts";
import type { NodeIntent, Peer } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";

const loopback = "127.0.0.1";
const statusTimeoutMs = 800;
/** etcd waits for an election timeout (1 s) until the other member leads. */
const transferTimeoutMs = 5_000;

/** etcd's gRPC gateway writes 64-bit numbers as text and leaves out zeros. */
const statusSchema = z.object({ header: z.object({ member_id: z.string() }), leader: z.string().optional() });

interface DcsMember {
  readonly peer: Peer;
  readonly id: string;
  readonly leads: boolean;
}

async function askMember(client: PeerClient, peer: Peer): Promise<DcsMember[]> {
  try {
    const path = "/v3/maintenance/status";
    const { body } = await client.post(peer.address, nodePorts.etcdClient, path, statusTimeoutMs, {});
    const { header, leader } = statusSchema.parse(body);
    return [{ peer, id: header.member_id, leads: leader === header.member_id }];
  } catch {
    // It cannot lead.
    return [];
  }
}

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
export const moveDcsLeader: VerbFunction<"move-dcs-leader"> = async (input) => {
  const intent = await readOwnIntent(input);
  using client = await PeerClient.open();
  const [answers, leaders] = await Promise.all([
    Promise.all(dcsPeers(intent.peers).map((peer) => askMember(client, peer))),
    databaseLeaders(client, intent),
  ]);
  const members = answers.flat();
  const current = members.find(({ leads }) => leads);
  if (current === undefined) throw new NodeFailure("etcd has no leader", { code: "no-dcs" });
  const isGood = ({ peer }: DcsMember): boolean =>
    input.to === null ? !leaders.includes(peer.nodeId) : peer.nodeId === input.to;
  if (isGood(current)) return { leader: current.peer.nodeId, moved: false };
  const target = members.find(isGood);
  if (target === undefined && input.to !== null)
    throw new NodeFailure(`etcd on ${input.to} does not answer`, { code: "dcs-member-silent" });
  // One member: it is where it is.
  if (target === undefined) return { leader: current.peer.nodeId, moved: false };
  const path = "/v3/maintenance/transfer-leadership";
  const { status, body } = await client.post(
    current.peer.address,
    nodePorts.etcdClient,
    path,
    transferTimeoutMs,
    { targetID: target.id },
  );
  if (status !== 200)
    throw new NodeFailure(`etcd: ${JSON.stringify(body)}`, { code: "dcs-leader-not-moved" });
  return { leader: target.peer.nodeId, moved: true };
};
