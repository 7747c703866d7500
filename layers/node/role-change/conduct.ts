import { setTimeout as sleep } from "node:timers/promises";
import type { NodeCommands, Peer } from "../../domain/node/protocol.ts";
import type { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import type { Gates } from "../gate/gates.ts";
import type { GateWord } from "../gate/protocol.ts";
import type { PatroniReply } from "../peer-client.ts";
import type { PromotionWatch } from "./monitor.ts";
import type { StepDown } from "./step-down.ts";

/** Ends a hold whose conductor has gone silent; a node's systemd has a longer one of its own. */
const leaseMs = 3_000;
const renewMs = 1_000;
/** A transaction that runs longer is not waited for: everybody else would wait with it. */
const transactionWaitMs = 1_000;
/** Sessions end when their clients do, so waiting for them is no use. */
const sessionWaitMs = 100;
/** Patroni has accepted the request and has not asked whether it may step down: it will not ask any more. */
const askedWithinMs = 10_000;
/** Patroni waits for ten seconds in all (patroni-wrapper.ts); then it would step down while nobody is held. */
const checkpointMsMax = 5_000;
/** PostgreSQL is long down by then, so clients would wait in their pooler anyway. */
const holdMsMax = 10_000;

export interface RoleChangeParts {
  readonly gates: Gates;
  readonly watch: PromotionWatch;
  /** Null where Patroni does not ask: clients are held from before the request. */
  readonly stepDown: StepDown | null;
  readonly requestChange: () => Promise<PatroniReply>;
  /** Has the leader write what it would otherwise write while clients wait. */
  readonly checkpoint: () => Promise<void>;
  /** A leader is there whose clients are worth holding; without one they wait in their poolers by themselves. */
  readonly holds: boolean;
  readonly sessions: boolean;
  readonly force: boolean;
  readonly to: string;
  readonly members: readonly Peer[];
  readonly deadline: Deadline;
}

export type RoleChanged = Pick<NodeCommands["change-role"]["output"], "pauseMs" | "unpaused">;

/** Patroni answers only when it is all over, so a refusal is all that is waited for. */
function refusal(asked: Promise<PatroniReply>): Promise<never> {
  return new Promise((_, reject) => {
    asked.then(({ status, text }) => {
      if (status >= 400)
        reject(new NodeFailure(`Patroni: ${text.trim()} (${status})`, { code: "patroni-refused" }));
    }, reject);
  });
}

function after(milliseconds: number, failure: () => Error): Promise<never> {
  return sleep(milliseconds, undefined, { ref: false }).then(() => {
    throw failure();
  });
}

/** One change of the leader, from the first client that waits to the last one that goes on. */
export class Conductor {
  readonly #parts: RoleChangeParts;
  readonly #unpaused: Set<string>;
  #held = false;
  #pauseMs: number | null = null;

  constructor(parts: RoleChangeParts) {
    this.#parts = parts;
    this.#unpaused = new Set(parts.gates.closed);
  }

  async conduct(): Promise<RoleChanged> {
    const { to, members } = this.#parts;
    try {
      await this.#changeLeader();
    } catch (error) {
      await this.#release(null);
      throw error;
    }
    const pauseMs = await this.#release({ leader: to, members: members.map(({ nodeId }) => nodeId) });
    return { pauseMs, unpaused: [...this.#unpaused] };
  }

  async #changeLeader(): Promise<void> {
    const { stepDown, requestChange, checkpoint } = this.#parts;
    if (stepDown === null) {
      const objection = this.#parts.holds ? await this.#hold() : null;
      if (objection !== null) throw new NodeFailure(objection, { code: "transactions-in-the-way" });
      await this.#promoted(refusal(requestChange()));
      return;
    }
    const refused = refusal(requestChange());
    const silent = () =>
      new NodeFailure("Patroni took the request and did not step down", { code: "role-not-changed" });
    await Promise.race([stepDown.asked(), refused, after(askedWithinMs, silent)]);
    await Promise.race([checkpoint(), sleep(checkpointMsMax, undefined, { ref: false })]);
    const objection = await this.#hold();
    await stepDown.answer(objection);
    if (objection !== null) throw new NodeFailure(objection, { code: "transactions-in-the-way" });
    await this.#promoted(refused);
  }

  /** Null when clients wait, or when those that do not may be broken. */
  async #hold(): Promise<string | null> {
    const { gates, sessions, force } = this.#parts;
    this.#held = true;
    const waitMs = sessions ? sessionWaitMs : transactionWaitMs;
    const told = await gates.tell({ say: "hold", waitMs, leaseMs });
    const busy: string[] = [];
    for (const { nodeId, answer } of told) {
      if (answer === null) this.#unpaused.add(nodeId);
      else if (answer.pooler && !answer.idle) busy.push(nodeId);
    }
    if (busy.length === 0) return null;
    for (const nodeId of busy) this.#unpaused.add(nodeId);
    if (sessions || force) return null;
    return `transactions on ${busy.join(", ")} did not end within ${transactionWaitMs} ms`;
  }

  async #promoted(refused: Promise<never>): Promise<void> {
    const { watch, deadline, to, gates } = this.#parts;
    const renewal = setInterval(() => void gates.tell({ say: "renew", leaseMs }), renewMs);
    const letGo = setTimeout(() => {
      clearInterval(renewal);
      void this.#release(null);
    }, holdMsMax);
    const late = () => new NodeFailure(`${to} was not promoted in time`, { code: "role-not-changed" });
    try {
      const promoted = await Promise.race([watch.promoted, refused, after(deadline.remainingMs, late)]);
      if (!promoted) throw new NodeFailure(`the connection to ${to} broke`, { code: "role-not-changed" });
    } finally {
      clearInterval(renewal);
      clearTimeout(letGo);
    }
  }

  /** How long the pooler that was held longest was, in whole milliseconds. */
  async #release(towards: Extract<GateWord, { say: "release" }>["towards"]): Promise<number | null> {
    // Proxies are told even where nobody was held.
    if (!this.#held && towards === null) return null;
    const told = await this.#parts.gates.tell({ say: "release", towards });
    if (this.#held) {
      this.#pauseMs = Math.round(Math.max(0, ...told.map(({ answer }) => answer?.heldMs ?? 0)));
    }
    this.#held = false;
    return this.#pauseMs;
  }
}
