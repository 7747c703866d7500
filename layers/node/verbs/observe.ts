import { memberName } from "../../domain/cluster/names.ts";
import { nodePaths } from "../../domain/config/index.ts";
import { type NodeIntent, nodeIntentSchema, type Observation } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { observeDcs } from "../dcs.ts";
import { NodeFailure } from "../failure.ts";
import { readIfPresent } from "../files.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";

const loopback = "127.0.0.1";

async function readIntent(): Promise<NodeIntent> {
  const text = await readIfPresent(nodePaths.intent);
  if (text === null)
    throw new NodeFailure("the node has not been configured yet", { code: "not-configured" });
  return nodeIntentSchema.parse(JSON.parse(text));
}

/** The node's own Patroni knows; if it is away, a neighbour's does. */
async function askAnyPatroni(client: PeerClient, intent: NodeIntent): Promise<Observation["members"]> {
  const shard = intent.peers.find((peer) => peer.nodeId === intent.nodeId)?.shard ?? 0;
  const neighbours = intent.peers.filter(
    (peer) => peer.shard === shard && peer.nodeId !== intent.nodeId && peer.services.includes("postgres"),
  );
  const failures: unknown[] = [];
  for (const address of [loopback, ...neighbours.map((peer) => peer.address)]) {
    try {
      return await observeMembers(client, address);
    } catch (error) {
      failures.push(error);
    }
  }
  throw new NodeFailure("no Patroni of the shard answers", {
    code: "patroni-silent",
    cause: new AggregateError(failures),
  });
}

export const observe: VerbFunction<"observe"> = async (input) => {
  const intent = await readIntent();
  if (intent.clusterId !== input.clusterId || intent.nodeId !== input.nodeId) {
    throw new NodeFailure(`this is ${memberName(intent.nodeId)} of ${intent.clusterId}`, {
      code: "wrong-node",
    });
  }
  using client = await PeerClient.open();
  const [asked, dcs] = await Promise.all([
    askAnyPatroni(client, intent).catch((error: unknown) => error),
    observeDcs(client, intent.peers),
  ]);
  if (Array.isArray(asked)) return { members: asked, dcs };
  // Patroni cannot tell who is a member while etcd has no majority, and that is the answer.
  if (!dcs.quorum) return { members: [], dcs };
  throw asked;
};
