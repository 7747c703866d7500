import { z } from "zod";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { readPasswords } from "../passwords.ts";
import { PeerClient } from "../peer-client.ts";
import { Monitor } from "../role-change/monitor.ts";
import { awaitKey } from "../writers.ts";

const loopback = "127.0.0.1";
/** Patroni writes into etcd before it answers. */
const writeTimeoutMs = 5_000;
const readTimeoutMs = 1_000;
/** Patroni looks at its configuration once in a loop, each second in most profiles. */
const pollMs = 200;
const succeeded = 200;

const configSchema = z.object({ pause: z.boolean().optional() });
const statusSchema = z.object({ pause: z.boolean().optional() });

/** Null: nobody answers there, so nobody can be waited for. */
async function isPaused(client: PeerClient, address: string): Promise<boolean | null> {
  try {
    const { body } = await client.get(address, nodePorts.patroni, "/patroni", readTimeoutMs);
    return statusSchema.parse(body).pause ?? false;
  } catch {
    // A member that is down takes the configuration from the DCS when it comes back.
    return null;
  }
}

export const setPause: VerbFunction<"set-pause"> = async (input, context) => {
  const [intent, passwords] = await Promise.all([
    readOwnIntent(input),
    readPasswords(context, input, ["patroni", "monitor"]),
  ]);
  using client = await PeerClient.open();
  const members = intent.peers.filter(
    (peer) => peer.shard === input.shard && peer.services.includes("postgres"),
  );
  const before = await client.get(loopback, nodePorts.patroni, "/config", readTimeoutMs);
  const changed = (configSchema.parse(before.body).pause ?? false) !== input.paused;
  if (changed) {
    if (!input.paused) {
      await using postgres = await Monitor.open(passwords.monitor);
      await awaitKey({ patroni: client, postgres }, input.nodeId, members);
    }
    const answer = await client.patch(
      loopback,
      nodePorts.patroni,
      "/config",
      writeTimeoutMs,
      { pause: input.paused },
      { username: "patroni", password: passwords.patroni },
    );
    if (answer.status !== succeeded) {
      throw new NodeFailure(`Patroni answered ${answer.status} to a change of its configuration`, {
        code: "patroni-refused",
      });
    }
  }
  await new Deadline(input.deadlineSeconds * 1000).until(
    async () => {
      const states = await Promise.all(members.map((peer) => isPaused(client, peer.address)));
      return states.every((paused) => paused === null || paused === input.paused) ? true : null;
    },
    () => new NodeFailure("not every member has noticed", { code: "members-missing" }),
    pollMs,
  );
  return { changed };
};
