import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { readPasswords } from "../passwords.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";

const loopback = "127.0.0.1";
/** Patroni ends what it is at (a start that does not succeed, another clone) before it begins. */
const beginTimeoutMs = 30_000;
/** Patroni writes its state once in a loop, every ten seconds in the slowest profile. */
const noticeMs = 12_000;

/** Until Patroni tells the others: else whoever asks next believes that the clone is done. */
async function awaitBegun(client: PeerClient, nodeId: string): Promise<void> {
  const limit = new Deadline(noticeMs);
  await limit.until(
    async () => {
      const members = await observeMembers(client, loopback);
      const state = members.find((member) => member.nodeId === nodeId)?.state;
      // A clone of next to nothing can be over before anybody has looked.
      return state !== "streaming" || limit.passed ? true : null;
    },
    () => new NodeFailure("Patroni does not begin the clone", { code: "patroni-refused" }),
  );
}

/** Patroni stops PostgreSQL, removes its data and clones the member again by itself; it refuses on a leader. */
export const reinitializeMember: VerbFunction<"reinitialize-member"> = async (input, context) => {
  await readOwnIntent(input);
  const { patroni: password } = await readPasswords(context, input, ["patroni"]);
  using client = await PeerClient.open();
  const reply = await client.command(
    loopback,
    "/reinitialize",
    beginTimeoutMs,
    { force: true },
    { username: "patroni", password },
  );
  if (reply.status === 200) {
    await awaitBegun(client, input.nodeId);
    return {};
  }
  throw new NodeFailure(`Patroni does not clone the member again: ${reply.text.trim()} (${reply.status})`, {
    code: "patroni-refused",
  });
};
