import { nodeIdSchema } from "../../domain/ids.ts";
import type { NodeCommands, Observation } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { journalTail } from "../journal.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";
import { restartsOf } from "../systemd.ts";

const pollMs = 100;
const loopback = "127.0.0.1";
const unit = "patroni.service";

type Wanted = Pick<NodeCommands["await-members"]["input"], "members" | "synchronousStandbys">;

/** What is still missing, or null. */
export function missing(members: Observation["members"], wanted: Wanted): string | null {
  const leader = members.find((member) => member.role === "leader");
  if (leader?.state !== "running") return "no leader yet";
  const streaming = members.filter((member) => member.role !== "leader" && member.state === "streaming");
  if (streaming.length < wanted.members - 1) {
    return `${streaming.length} of ${wanted.members - 1} replicas stream from ${leader.nodeId}`;
  }
  const synchronous = streaming.filter((member) => member.role === "sync-standby");
  if (synchronous.length < wanted.synchronousStandbys) {
    return `${synchronous.length} of ${wanted.synchronousStandbys} standbys are synchronous`;
  }
  return null;
}

function describe(members: Observation["members"]): string {
  if (members.length === 0) return "Patroni knows no member";
  return members.map((member) => `${member.nodeId} ${member.role} ${member.state}`).join(", ");
}

/**
 * Patroni that ends again and again will not do otherwise in a while: a file that it refuses, a data directory of
 * another cluster. One fall is forgiven.
 */
const restartsMax = 3;

/** Asking systemd costs more than asking Patroni. */
const restartsPollMs = 1_000;

/** Counts from its making how often systemd has had to start Patroni again. */
class Restarts {
  readonly #before: number;
  #askedAt = performance.now();

  private constructor(before: number) {
    this.#before = before;
  }

  static async count(): Promise<Restarts> {
    return new Restarts(await restartsOf(unit));
  }

  /** @throws {NodeFailure} `patroni-falls-over` when it was too often. */
  async requireFew(): Promise<void> {
    if (performance.now() - this.#askedAt < restartsPollMs) return;
    this.#askedAt = performance.now();
    const restarts = (await restartsOf(unit)) - this.#before;
    if (restarts < restartsMax) return;
    throw new NodeFailure(`Patroni on this node has ended ${restarts} times`, { code: "patroni-falls-over" });
  }
}

export const awaitMembers: VerbFunction<"await-members"> = async (input) => {
  using client = await PeerClient.open();
  const restarts = await Restarts.count();
  let last = "Patroni has not answered";
  const probe = async (): Promise<string | null> => {
    try {
      const members = await observeMembers(client, loopback);
      const lacking = missing(members, input);
      last = `${lacking ?? ""} (${describe(members)})`;
      return lacking === null ? (members.find((member) => member.role === "leader")?.nodeId ?? null) : null;
    } catch (error) {
      // Patroni begins to answer some time after its start; the last reason is told at the deadline.
      await restarts.requireFew();
      last = `Patroni does not answer: ${error instanceof Error ? error.message : String(error)}`;
      return null;
    }
  };
  const deadline = new Deadline(input.timeoutSeconds * 1000);
  const expired = () =>
    new NodeFailure(`after ${input.timeoutSeconds} s: ${last}`, { code: "members-missing" });
  try {
    return { leader: nodeIdSchema.parse(await deadline.until(probe, expired, pollMs)) };
  } catch (error) {
    if (!(error instanceof NodeFailure)) throw error;
    throw new NodeFailure(`${error.message}\n${await journalTail(unit)}`, {
      code: error.code,
      cause: error,
    });
  }
};
