import { ownFirst } from "../../domain/node/peers.ts";
import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { journalTail } from "../journal.ts";
import { readOwnIntent } from "../own-intent.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";

const pollMs = 200;
/** Patroni's word for a member that copies the data: that takes as long as there is data. */
const cloning = "creating replica";

/** From this node's Patroni or, as long as it is on its way up, from a neighbour's. */
export const awaitMember: VerbFunction<"await-member"> = async (input) => {
  const intent = await readOwnIntent(input);
  const shard = intent.peers.find((peer) => peer.nodeId === intent.nodeId)?.shard ?? 0;
  const members = intent.peers.filter((peer) => peer.shard === shard && peer.services.includes("postgres"));
  const addresses = ownFirst(intent.nodeId, members).map((peer) => peer.address);
  using client = await PeerClient.open();
  let state = "";
  let last = "no Patroni of the shard answers";
  const probe = async (): Promise<string | null> => {
    for (const address of addresses) {
      try {
        const members = await observeMembers(client, address);
        const wanted = members.find((member) =>
          input.member === null ? member.role === "leader" : member.nodeId === input.member,
        );
        state = wanted?.state ?? state;
        last = `${input.member ?? "the leader"} is ${wanted?.state ?? "unknown to Patroni"}`;
        if (wanted === undefined) continue;
        const isThere = wanted.role === "leader" ? wanted.state === "running" : wanted.state === "streaming";
        return isThere ? wanted.state : null;
      } catch {
        // The next one may answer; the deadline tells the last word.
      }
    }
    return null;
  };
  const late = () => new NodeFailure(`after ${input.timeoutSeconds} s: ${last}`, { code: "member-missing" });
  try {
    const reached = await new Deadline(input.timeoutSeconds * 1000).until(probe, late, pollMs);
    return { isThere: true, state: reached };
  } catch (error) {
    if (error instanceof NodeFailure && state === cloning) return { isThere: false, state };
    if (!(error instanceof NodeFailure) || input.member !== intent.nodeId) throw error;
    throw new NodeFailure(`${error.message}\n${await journalTail("patroni.service")}`, {
      code: error.code,
      cause: error,
    });
  }
};
