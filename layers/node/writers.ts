import type { Peer } from "../domain/node/protocol.ts";
import { NodeFailure } from "./failure.ts";
import { observeMembers } from "./patroni.ts";
import type { PeerClient } from "./peer-client.ts";
import type { Monitor } from "./role-change/monitor.ts";

type Eyes = { readonly patroni: Pick<PeerClient, "get">; readonly postgres: Pick<Monitor, "query"> };

const loopback = "127.0.0.1";

/** One that does not answer is taken for one that does not: who has a reason to ask has to do without it. */
async function takesWrites(postgres: Eyes["postgres"], address: string): Promise<boolean> {
  const asked = postgres.query(address, "SELECT pg_catalog.pg_is_in_recovery();");
  return (await asked.catch((): string[] => [])).includes("f");
}

/**
 * Members whose PostgreSQL takes writes without the leader's key, as one does that outlives its Patroni in a pause.
 * Once the pause is over, somebody else is promoted beside it.
 */
export async function writersWithoutKey(
  eyes: Eyes,
  ownNodeId: string,
  members: readonly Peer[],
): Promise<Peer[]> {
  const [seen, writing] = await Promise.all([
    observeMembers(eyes.patroni, loopback),
    Promise.all(
      members.map(({ nodeId, address }) =>
        takesWrites(eyes.postgres, nodeId === ownNodeId ? loopback : address),
      ),
    ),
  ]);
  const leader = seen.find(({ role }) => role === "leader")?.nodeId;
  return members.filter(({ nodeId }, index) => writing[index] === true && nodeId !== leader);
}

export function withoutKeyFailure(writers: readonly Peer[]): NodeFailure {
  const who = writers.map(({ nodeId }) => nodeId).join(" and ");
  return new NodeFailure(
    `PostgreSQL on ${who} takes writes, but Patroni there does not run or does not hold the leader's key: ` +
      `without the pause another member would be promoted beside it. Start patroni.service on ${who} first`,
    { code: "leader-without-key" },
  );
}
