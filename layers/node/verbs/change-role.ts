import type { NodeCommands, NodeIntent, Peer } from "../../domain/node/protocol.ts";
import type { NodeContext, VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { Gates } from "../gate/gates.ts";
import { withLock } from "../lock.ts";
import { readOwnIntent } from "../own-intent.ts";
import { readPasswords } from "../passwords.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";
import { runSql } from "../psql.ts";
import { Conductor } from "../role-change/conduct.ts";
import { Monitor } from "../role-change/monitor.ts";
import { StepDown } from "../role-change/step-down.ts";
import { machineGoesDown } from "../systemd.ts";
import { isWrapped } from "../wrapper-report.ts";

const loopback = "127.0.0.1";
/** The first writes what there is; the second what was written meanwhile. A third follows when Patroni is ready. */
const checkpointsBefore = 2;

type Input = NodeCommands["change-role"]["input"];
type Output = NodeCommands["change-role"]["output"];

function membersOf(intent: NodeIntent, shard: number): Peer[] {
  return intent.peers.filter((peer) => peer.shard === shard && peer.services.includes("postgres"));
}

/** Nodes through which clients reach the leader. A node that goes down has sent its own clients away. */
async function gatesOf(intent: NodeIntent, shard: number): Promise<Peer[]> {
  const goesDown = await machineGoesDown();
  return intent.peers.filter(
    (peer) =>
      peer.shard === shard &&
      (peer.services.includes("pgbouncer") || peer.services.includes("haproxy")) &&
      !(goesDown && peer.nodeId === intent.nodeId),
  );
}

function findPeer(peers: readonly Peer[], nodeId: string): Peer {
  const peer = peers.find((candidate) => candidate.nodeId === nodeId);
  if (peer === undefined)
    throw new NodeFailure(`${nodeId} is not a member of the shard`, { code: "no-such-member" });
  return peer;
}

async function checkpoint(): Promise<void> {
  await runSql("postgres", "CHECKPOINT;");
}

async function checkpointsAhead(): Promise<void> {
  for (let count = 0; count < checkpointsBefore; count += 1) await checkpoint();
}

async function change(
  input: Input,
  intent: NodeIntent,
  client: PeerClient,
  context: NodeContext,
): Promise<Output> {
  const deadline = new Deadline(input.deadlineSeconds * 1000);
  const members = membersOf(intent, input.shard);
  const target = findPeer(members, input.to);
  const passwords = await readPasswords(context, intent, ["monitor", "patroni"]);
  const leadsHere = input.from === intent.nodeId;
  await using monitor = await Monitor.open(passwords.monitor);
  using watch = monitor.watchPromotion(target.address);
  await using stepDown = leadsHere && (await isWrapped()) ? await StepDown.listen() : null;
  const [gates] = await Promise.all([
    gatesOf(intent, input.shard).then((peers) => Gates.open(peers)),
    leadsHere ? checkpointsAhead() : undefined,
  ]);
  using open = gates;
  await open.tell({ say: "ready" });
  if (!(await watch.ready))
    throw new NodeFailure(`${input.to} does not answer`, { code: "candidate-unreachable" });
  const planned = input.from !== null && !input.force;
  const changed = await new Conductor({
    gates: open,
    watch,
    stepDown,
    requestChange: () =>
      client.command(
        loopback,
        planned ? "/switchover" : "/failover",
        deadline.remainingMs,
        planned ? { leader: input.from, candidate: input.to } : { candidate: input.to },
        { username: "patroni", password: passwords.patroni },
      ),
    checkpoint,
    holds: input.from !== null,
    sessions: intent.spec.pooler.mode === "session",
    force: input.force,
    to: input.to,
    members,
    deadline,
  }).conduct();
  return { from: input.from, to: input.to, ...changed, timeline: await timelineOf(monitor, target) };
}

async function timelineOf(monitor: Monitor, target: Peer): Promise<number | null> {
  const sql =
    "SELECT ('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int;";
  const [timeline] = await monitor.query(target.address, sql);
  return timeline === undefined ? null : Number(timeline);
}

export const changeRole: VerbFunction<"change-role"> = async (input, context) => {
  const intent = await readOwnIntent(input);
  return withLock("change-role", 0, async () => {
    using client = await PeerClient.open();
    const seen = await observeMembers(client, loopback);
    const leader = seen.find(({ role }) => role === "leader");
    if (leader?.nodeId === input.to) {
      const { from, to } = input;
      return { from, to, pauseMs: null, timeline: leader.timeline, unpaused: [] };
    }
    if (input.from !== null && leader !== undefined && leader.nodeId !== input.from) {
      throw new NodeFailure(`${leader.nodeId} leads, not ${input.from}`, { code: "other-leader" });
    }
    // Awaited here: the client ends with this block.
    return await change(input, intent, client, context);
  });
};
