import { z } from "zod";
import { nodePorts } from "../domain/cluster/node-ports.ts";
import { dcsPeersFrom } from "../domain/config/index.ts";
import type { ObservedPlace } from "../domain/node/membership-verbs.ts";
import type { NodeIntent } from "../domain/node/protocol.ts";
import { askDcsStatus } from "./dcs-status.ts";
import { Deadline } from "./deadline.ts";
import { NodeFailure } from "./failure.ts";
import type { PeerAnswer, PeerClient } from "./peer-client.ts";

type Etcd = Pick<PeerClient, "post">;
type Asker = Pick<NodeIntent, "nodeId" | "peers">;
type DcsMember = NonNullable<ObservedPlace["dcs"]>["members"][number];

/** An etcd that is well answers within milliseconds; a change of its members waits for a majority. */
const readTimeoutMs = 1_500;
const writeTimeoutMs = 7_000;
const succeeded = 200;
/**
 * etcd adds and removes voters only over connections that have stood for its HealthInterval of five seconds
 * (server/etcdserver/server.go): right after another change, or a member's restart, it has to be asked again.
 */
const unsettledWords = "etcdserver: unhealthy cluster";
const settleMs = 15_000;
const settlePollMs = 500;

/** etcd's gRPC gateway writes 64-bit numbers as text and leaves out zeros, false and what is empty. */
const listSchema = z.object({
  members: z.array(
    z.object({
      ID: z.string(),
      name: z.string().default(""),
      peerURLs: z.array(z.string()).min(1),
      isLearner: z.boolean().default(false),
    }),
  ),
});
const addedSchema = z.object({ member: z.object({ ID: z.string() }) });
const refusalSchema = z.object({ message: z.string() });

/** Asks one member after the other, its own first, until one answers as it should; @throws NodeFailure */
async function askAny(intent: Asker, ask: (address: string) => Promise<PeerAnswer>): Promise<PeerAnswer> {
  const failures: unknown[] = [];
  for (const peer of dcsPeersFrom(intent.nodeId, intent.peers)) {
    try {
      const answer = await ask(peer.address);
      if (answer.status === succeeded) return answer;
      failures.push(new Error(`etcd on ${peer.nodeId}: ${wordsOf(answer)}`));
    } catch (error) {
      failures.push(error);
    }
  }
  const words = failures.map((one) => (one instanceof Error ? one.message : String(one)));
  throw new NodeFailure(`no member of etcd did as it was asked: ${words.join("; ")}`, {
    code: words.some((one) => one.includes(unsettledWords)) ? "dcs-unsettled" : "no-dcs",
    cause: new AggregateError(failures),
  });
}

/** As `askAny`, and again while etcd's connections are too young for a change of its members. */
async function askForChange(client: Etcd, intent: Asker, path: string, body: object): Promise<PeerAnswer> {
  let last = new NodeFailure("etcd was not asked", { code: "no-dcs" });
  return await new Deadline(settleMs).until(
    async () => {
      try {
        return await askAny(intent, (address) =>
          client.post(address, nodePorts.etcdClient, path, writeTimeoutMs, body),
        );
      } catch (error) {
        if (!(error instanceof NodeFailure && error.code === "dcs-unsettled")) throw error;
        last = error;
        return null;
      }
    },
    () => last,
    settlePollMs,
  );
}

const wordsOf = ({ status, body }: PeerAnswer): string => {
  const refusal = refusalSchema.safeParse(body);
  return refusal.success ? refusal.data.message : `it answered ${status}`;
};

/** etcd's list; the one of a single member where there is no majority to agree on it. */
export async function listDcsMembers(
  client: Etcd,
  intent: Asker,
): Promise<{ hasQuorum: boolean; members: DcsMember[] }> {
  const ask = (linearizable: boolean) =>
    askAny(intent, (address) =>
      client.post(address, nodePorts.etcdClient, "/v3/cluster/member/list", readTimeoutMs, { linearizable }),
    );
  const agreed = await ask(true).catch((error: unknown) => {
    if (error instanceof NodeFailure) return null;
    throw error;
  });
  const { members } = listSchema.parse((agreed ?? (await ask(false))).body);
  const described = await Promise.all(
    members.map(async (member): Promise<DcsMember> => {
      const address = new URL(member.peerURLs[0] ?? "").hostname;
      const state = member.name === "" ? notStarted : await stateOf(client, address, member.ID);
      return { memberId: member.ID, name: member.name, address, isLearner: member.isLearner, ...state };
    }),
  );
  return { hasQuorum: agreed !== null, members: described };
}

const notStarted = { isHealthy: false, isLeader: false };

/** A member is healthy when it answers as itself and knows a leader. */
async function stateOf(
  client: Etcd,
  address: string,
  memberId: string,
): Promise<Pick<DcsMember, "isHealthy" | "isLeader">> {
  try {
    const status = await askDcsStatus(client, address);
    const isItself = status.memberId === memberId;
    return { isHealthy: isItself && status.knowsLeader, isLeader: isItself && status.isLeader };
  } catch {
    // It does not answer, or not as etcd does: that is what was asked.
    return notStarted;
  }
}

export async function addDcsLearner(client: Etcd, intent: Asker, address: string): Promise<string> {
  const { members } = await listDcsMembers(client, intent);
  const known = members.find((member) => member.address === address);
  if (known !== undefined) return known.memberId;
  const learner = { peerURLs: [`https://${address}:${nodePorts.etcdPeer}`], isLearner: true };
  const { body } = await askForChange(client, intent, "/v3/cluster/member/add", learner);
  return addedSchema.parse(body).member.ID;
}

/** @returns null when it is a voter now, else why not yet. */
export async function promoteDcsLearner(
  client: Etcd,
  intent: Asker,
  memberId: string,
): Promise<string | null> {
  const { members } = await listDcsMembers(client, intent);
  const member = members.find((one) => one.memberId === memberId);
  if (member === undefined)
    throw new NodeFailure(`etcd has no member ${memberId}`, { code: "no-such-member" });
  if (!member.isLearner) return null;
  try {
    await askAny(intent, (address) =>
      client.post(address, nodePorts.etcdClient, "/v3/cluster/member/promote", writeTimeoutMs, {
        ID: memberId,
      }),
    );
    return null;
  } catch (error) {
    if (error instanceof NodeFailure) return error.message;
    throw error;
  }
}

export async function removeDcsMember(client: Etcd, intent: Asker, memberId: string): Promise<void> {
  const { members } = await listDcsMembers(client, intent);
  if (members.every((member) => member.memberId !== memberId)) return;
  await askForChange(client, intent, "/v3/cluster/member/remove", { ID: memberId });
}
