import { nodePaths } from "../domain/config/index.ts";
import { nodeIntentSchema } from "../domain/node/protocol.ts";
import type { NodeContext } from "./context.ts";
import { Deadline } from "./deadline.ts";
import { readIfPresent } from "./files.ts";
import { observeMembers } from "./patroni.ts";
import { PeerClient } from "./peer-client.ts";
import { drainPooler } from "./pooler.ts";
import { machineGoesDown } from "./systemd.ts";
import { assessRoleChange } from "./verbs/assess-role-change.ts";
import { changeRole } from "./verbs/change-role.ts";

/**
 * What happens on a node that goes down in an orderly way, before its services are stopped: its pooler's clients are
 * sent away between two transactions, and if it leads, another one takes over first. Clients of the other nodes see
 * no more than of a planned change. All of it is bounded: systemd goes on when this has ended or failed.
 */

/** Transactions that take longer are cut: the machine goes down. */
const drainMs = 6_000;
const changeSeconds = 12;
const loopback = "127.0.0.1";

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function drain(): Promise<void> {
  const { closed, cut } = await drainPooler(new Deadline(drainMs));
  say(`the pooler has sent away ${closed} clients, ${cut} of them inside a transaction`);
}

async function giveUpLeader(context: NodeContext): Promise<void> {
  const text = await readIfPresent(nodePaths.intent);
  if (text === null) return;
  const { clusterId, nodeId, environment, peers, region } = nodeIntentSchema.parse(JSON.parse(text));
  // A command's environment has it; here nobody has set it.
  process.env["AWS_REGION"] ??= region;
  const self = peers.find((peer) => peer.nodeId === nodeId);
  if (self === undefined || !self.services.includes("postgres")) return;
  using client = await PeerClient.open();
  const members = await observeMembers(client, loopback);
  if (members.find(({ role }) => role === "leader")?.nodeId !== nodeId) return;
  const { shard } = self;
  const { candidate, paused } = await assessRoleChange(
    { clusterId, nodeId, shard, candidate: null },
    context,
  );
  if (candidate === null || paused) {
    say("nobody can take over the leader");
    return;
  }
  const { pauseMs } = await changeRole(
    {
      environment,
      clusterId,
      nodeId,
      shard,
      from: nodeId,
      to: candidate,
      force: false,
      deadlineSeconds: changeSeconds,
    },
    context,
  );
  say(`${candidate} leads; clients waited ${pauseMs ?? 0} ms`);
}

export async function handOver(context: NodeContext): Promise<void> {
  // Stopping this unit by hand is not the end of the machine.
  if (!(await machineGoesDown())) return;
  for (const act of [drain, () => giveUpLeader(context)]) {
    try {
      await act();
    } catch (error) {
      // The rest is worth trying, and the machine goes down in any case.
      say(error instanceof Error ? error.message : String(error));
    }
  }
}
