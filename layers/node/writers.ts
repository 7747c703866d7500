import { nodePorts } from "../domain/cluster/node-ports.ts";
import type { Peer } from "../domain/node/protocol.ts";
import { Deadline } from "./deadline.ts";
import { NodeFailure } from "./failure.ts";
import { observeMembers } from "./patroni.ts";
import type { PeerClient } from "./peer-client.ts";
import type { Monitor } from "./role-change/monitor.ts";

type Eyes = { readonly patroni: Pick<PeerClient, "get">; readonly postgres: Pick<Monitor, "query"> };

const loopback = "127.0.0.1";

const patroniTimeoutMs = 1_000;

export interface KeyPatience {
  /** A Patroni that was just started again finds its PostgreSQL and takes the key within a few loops. */
  readonly keyMs: number;
  /** A PostgreSQL that gives no answer for so long, asked again and again, is not there. */
  readonly silentMs: number;
  readonly pollMs: number;
}

const patience: KeyPatience = { keyMs: 20_000, silentMs: 8_000, pollMs: 1_000 };

/** Null: it does not answer, which a busy one does not either. */
async function takesWrites(postgres: Eyes["postgres"], address: string): Promise<boolean | null> {
  const asked = postgres.query(address, "SELECT pg_catalog.pg_is_in_recovery();");
  return asked.then(
    (rows) => rows.includes("f"),
    () => null,
  );
}

/** The key outlives the Patroni that held it by its time to live: only a Patroni that answers keeps it. */
async function keepsKey(patroni: Eyes["patroni"], address: string): Promise<boolean> {
  const asked = patroni.get(address, nodePorts.patroni, "/patroni", patroniTimeoutMs);
  return asked.then(
    () => true,
    () => false,
  );
}

/**
 * Members whose PostgreSQL takes writes without the leader's key, as one does that outlives its Patroni in a pause.
 * Once the pause is over, somebody else is promoted beside it. Of those that are `silent` nobody knows.
 */
export async function writersWithoutKey(
  eyes: Eyes,
  ownNodeId: string,
  members: readonly Peer[],
): Promise<{ readonly writers: readonly Peer[]; readonly silent: readonly Peer[] }> {
  const addressOf = ({ address, nodeId }: Peer): string => (nodeId === ownNodeId ? loopback : address);
  const [seen, writing] = await Promise.all([
    observeMembers(eyes.patroni, loopback),
    Promise.all(members.map((member) => takesWrites(eyes.postgres, addressOf(member)))),
  ]);
  const leader = members.find(({ nodeId }) => nodeId === seen.find(({ role }) => role === "leader")?.nodeId);
  const isKept = leader !== undefined && (await keepsKey(eyes.patroni, addressOf(leader)));
  const isKeeper = (member: Peer): boolean => isKept && member === leader;
  return {
    writers: members.filter((member, index) => writing[index] === true && !isKeeper(member)),
    silent: members.filter((_member, index) => writing[index] === null),
  };
}

/**
 * Returns when no member takes writes without the leader's key: two leaders would be the price of ending a pause
 * earlier. A member that is gone holds nobody up for long.
 * @throws {NodeFailure} `leader-without-key`
 */
export async function awaitKey(
  eyes: Eyes,
  ownNodeId: string,
  members: readonly Peer[],
  { keyMs, pollMs, silentMs }: KeyPatience = patience,
): Promise<void> {
  const answers = new Deadline(silentMs);
  let named: readonly Peer[] = [];
  await new Deadline(keyMs).until(
    async () => {
      const { silent, writers } = await writersWithoutKey(eyes, ownNodeId, members);
      named = writers;
      return writers.length === 0 && (silent.length === 0 || answers.passed) ? true : null;
    },
    () => withoutKeyFailure(named),
    pollMs,
  );
}

export function withoutKeyFailure(writers: readonly Peer[]): NodeFailure {
  const who = writers.map(({ nodeId }) => nodeId).join(" and ");
  return new NodeFailure(
    `PostgreSQL on ${who} takes writes, but Patroni there does not run or does not hold the leader's key: ` +
      `without the pause another member would be promoted beside it. Start patroni.service on ${who} first`,
    { code: "leader-without-key" },
  );
}
