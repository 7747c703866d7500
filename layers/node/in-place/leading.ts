import type { Observation } from "../../domain/node/protocol.ts";
import type { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { observeMembers } from "../patroni.ts";
import type { PeerClient } from "../peer-client.ts";
import { postgresWordsSince } from "../postgres-words.ts";
import { start } from "../systemd.ts";
import { isRunning } from "../verbs/shut-down.ts";

const loopback = "127.0.0.1";
const pollMs = 300;
export const patroniUnit = "patroni.service";
const busy = "already in progress";
const starting = "postgres is still starting";

type Member = Observation["members"][number];

/** Patroni comes up with its service, and with it, unless the shard is paused, PostgreSQL. */
export const startPatroni = (): Promise<void> => start([patroniUnit]);

/** Null as long as Patroni has not told the others of itself. */
async function self(client: PeerClient, nodeId: string): Promise<Member | null> {
  try {
    return (await observeMembers(client, loopback)).find((member) => member.nodeId === nodeId) ?? null;
  } catch {
    // It is on its way up.
    return null;
  }
}

export interface Leading {
  readonly client: PeerClient;
  readonly nodeId: string;
  readonly password: string;
  readonly deadline: Deadline;
}

/**
 * In a pause Patroni starts no PostgreSQL by itself, but does when it is asked to; one that takes writes then gets the
 * leader's key, whatever timeline it is on.
 */
export async function lead({ client, deadline, nodeId, password }: Leading): Promise<void> {
  const since = new Date();
  let last = "Patroni does not answer";
  await deadline.until(
    async () => {
      const member = await self(client, nodeId);
      if (member === null) return null;
      last = `the member is ${member.role} and ${member.state}`;
      if (member.role === "leader" && member.state === "running") return true;
      if (!(await isRunning())) await startPostgres(client, password, deadline, since);
      return null;
    },
    () => new NodeFailure(`the member does not lead: ${last}`, { code: "not-leader" }),
    pollMs,
  );
}

async function startPostgres(
  client: PeerClient,
  password: string,
  deadline: Deadline,
  since: Date,
): Promise<void> {
  const timeoutMs = Math.max(1_000, deadline.remainingMs);
  const body = { timeout: Math.ceil(timeoutMs / 1_000) };
  const credentials = { username: "patroni", password };
  const reply = await client.command(loopback, "/restart", timeoutMs, body, credentials);
  const said = reply.text.trim();
  if (reply.status === 200 || said === starting || said.endsWith(busy)) return;
  throw new NodeFailure(`PostgreSQL did not start: ${said}; ${await postgresWordsSince(since)}`, {
    code: "postgres-not-started",
  });
}
