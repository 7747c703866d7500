import { setTimeout as sleep } from "node:timers/promises";
import { synchronousStandbys } from "../../domain/cluster/layout.ts";
import type { NodeCommands, NodeIntent, Observation } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { whileHeld } from "../gate/while-held.ts";
import { readOwnIntent } from "../own-intent.ts";
import { readPasswords } from "../passwords.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";
import { postgresWordsSince } from "../postgres-words.ts";
import { run } from "../process.ts";
import { runSql } from "../psql.ts";

const loopback = "127.0.0.1";
const pollMs = 100;
/** Patroni begins with something else now and then: its own look at a member, a clone that is about to end. */
const busyPollMs = 500;
/** The first writes what there is; the second what was written meanwhile, so that the shutdown has little to do. */
const checkpointsAhead = 2;

type Input = NodeCommands["restart-member"]["input"];
type Member = Observation["members"][number];

/** One restart of this node's member. */
interface Restart {
  readonly input: Input;
  readonly intent: NodeIntent;
  readonly client: PeerClient;
  readonly password: string;
  readonly since: Date;
  readonly deadline: Deadline;
}

const notStarted = async ({ since }: Restart): Promise<NodeFailure> =>
  new NodeFailure(`PostgreSQL did not start again: ${await postgresWordsSince(since)}`, {
    code: "postgres-not-started",
  });

/** A member that is down cannot write a checkpoint, and needs none. */
async function checkpointAhead(): Promise<void> {
  try {
    for (let count = 0; count < checkpointsAhead; count += 1) await runSql("postgres", "CHECKPOINT;");
  } catch (error) {
    if (!(error instanceof NodeFailure)) throw error;
  }
}

/** Patroni first sees to it that no commit waits for this standby, and answers when PostgreSQL is up or is not. */
async function restartPostgres(restart: Restart): Promise<void> {
  const { client, deadline, password } = restart;
  for (;;) {
    const credentials = { username: "patroni", password };
    const reply = await client.command(loopback, "/restart", deadline.remainingMs, {}, credentials);
    const text = reply.text.trim();
    if (reply.status === 200 || text === "postgres is still starting") return;
    if (text === "restart failed") throw await notStarted(restart);
    if (!text.endsWith("already in progress") || deadline.passed) {
      throw new NodeFailure(`Patroni did not restart PostgreSQL: ${text} (${reply.status})`, {
        code: "patroni-refused",
      });
    }
    await sleep(Math.min(busyPollMs, deadline.remainingMs));
  }
}

/** With its end Patroni stops PostgreSQL, and starts it again. */
async function restartPatroni({ deadline }: Restart): Promise<void> {
  await run("systemctl", ["restart", "patroni.service"], { timeoutMs: deadline.remainingMs });
}

/** What is not yet as it was before, or null. */
export function lacking(members: readonly Member[], nodeId: string, standbys: number): string | null {
  const self = members.find((member) => member.nodeId === nodeId);
  if (self === undefined) return "Patroni does not list this member";
  const wanted = self.role === "leader" ? "running" : "streaming";
  if (self.state !== wanted) return `this member is ${self.state}`;
  const synchronous = members.filter(({ role }) => role === "sync-standby").length;
  const possible = Math.min(standbys, members.length - 1);
  return synchronous < possible ? `${synchronous} of ${possible} standbys are synchronous` : null;
}

/** Patroni tries again by itself, but that changes nothing about what PostgreSQL does not like. */
const failedStates = ["start failed", "crashed"];

async function awaitMember(restart: Restart): Promise<void> {
  const { client, deadline, intent } = restart;
  let last = "Patroni has not answered";
  const probe = async (): Promise<true | null> => {
    let members: Member[];
    try {
      members = await observeMembers(client, loopback);
    } catch (error) {
      // Patroni itself may be starting; the last reason is told at the deadline.
      last = `Patroni does not answer: ${error instanceof Error ? error.message : String(error)}`;
      return null;
    }
    const state = members.find(({ nodeId }) => nodeId === intent.nodeId)?.state ?? "";
    if (failedStates.includes(state) || state.startsWith("restart failed")) throw await notStarted(restart);
    const missing = lacking(members, intent.nodeId, synchronousStandbys(intent.spec));
    last = missing ?? "";
    return missing === null ? true : null;
  };
  const late = () => new NodeFailure(`PostgreSQL was restarted, but ${last}`, { code: "members-missing" });
  await deadline.until(probe, late, pollMs);
}

/** A leader may be restarted only by somebody who knows that it leads. */
async function leadsHere({ client, input, intent }: Restart): Promise<boolean> {
  const members = await observeMembers(client, loopback);
  const leads = members.find(({ nodeId }) => nodeId === intent.nodeId)?.role === "leader";
  if (leads && !input.onLeader) {
    throw new NodeFailure("this member leads: another one has to take over first", { code: "member-leads" });
  }
  return leads;
}

export const restartMember: VerbFunction<"restart-member"> = async (input, context) => {
  const intent = await readOwnIntent(input);
  const { patroni: password } = await readPasswords(context, input, ["patroni"]);
  using client = await PeerClient.open();
  const deadline = new Deadline(input.deadlineSeconds * 1000);
  const restart: Restart = { input, intent, client, password, since: new Date(), deadline };
  const leads = await leadsHere(restart);
  await checkpointAhead();
  const act = () => (input.withPatroni ? restartPatroni(restart) : restartPostgres(restart));
  if (!leads) {
    await act();
    await awaitMember(restart);
    return { pauseMs: null };
  }
  const pauseMs = await whileHeld(intent, input.shard, async () => {
    await act();
    await awaitMember(restart);
  });
  return { pauseMs };
};
