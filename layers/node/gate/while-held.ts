import type { NodeIntent } from "../../domain/node/protocol.ts";
import { NodeFailure } from "../failure.ts";
import { Gates } from "./gates.ts";

/** Ends a hold whose conductor has gone silent. */
const leaseMs = 3_000;
const renewMs = 1_000;
/** A transaction that runs longer is not waited for: everybody else would wait with it. */
const transactionWaitMs = 2_000;
/** Clients that have waited for so long would rather be told. */
const holdMsMax = 30_000;

/**
 * Does something to the leader, which stays the leader, while the poolers of all nodes hold their clients. Says how
 * long they were held, null where there was nobody to hold.
 * @throws {NodeFailure} `transactions-in-the-way` before anything was done, unless the pooler pools sessions: those
 * end when their clients do.
 */
export async function whileHeld(
  intent: NodeIntent,
  shard: number,
  act: () => Promise<void>,
): Promise<number | null> {
  const peers = intent.peers.filter((peer) => peer.shard === shard);
  const sessions = intent.spec.pooler.mode === "session";
  using gates = await Gates.open(
    peers.filter(({ services }) => services.includes("pgbouncer") || services.includes("haproxy")),
  );
  await gates.tell({ say: "ready" });
  const told = await gates.tell({ say: "hold", waitMs: sessions ? 0 : transactionWaitMs, leaseMs });
  const busy = told.filter(({ answer }) => answer?.pooler === true && !answer.idle);
  const renewal = setInterval(() => void gates.tell({ say: "renew", leaseMs }), renewMs);
  const end = setTimeout(() => clearInterval(renewal), holdMsMax);
  try {
    if (busy.length > 0 && !sessions) {
      throw new NodeFailure(
        `transactions on ${busy.map(({ nodeId }) => nodeId).join(", ")} did not end within ${transactionWaitMs} ms`,
        { code: "transactions-in-the-way" },
      );
    }
    await act();
  } finally {
    clearInterval(renewal);
    clearTimeout(end);
  }
  const members = peers.filter(({ services }) => services.includes("postgres"));
  const released = await gates.tell({
    say: "release",
    towards: { leader: intent.nodeId, members: members.map(({ nodeId }) => nodeId) },
  });
  const longest = Math.max(0, ...released.map(({ answer }) => answer?.heldMs ?? 0));
  return longest === 0 ? null : Math.round(longest);
}
