import { setTimeout as sleep } from "node:timers/promises";
import type { GuardSettings } from "../../domain/config/index.ts";
import { moveDcsLeader } from "../dcs-leader.ts";
import { askDcsStatus } from "../dcs-status.ts";
import { PeerClient } from "../peer-client.ts";

/** etcd is asked seldom: what is looked for happens once in an accident. */
const betweenMs = 5_000;

/**
 * Keeps etcd's leader off the node that leads PostgreSQL: losing both with one machine would cost an election, and the
 * leader's key its whole life anew, before anybody else can be promoted. Planned changes see to it themselves.
 */
export class LeadersApart {
  readonly #settings: Pick<GuardSettings, "address" | "dcs">;
  #pending: Promise<void> | null = null;

  constructor(settings: Pick<GuardSettings, "address" | "dcs">) {
    this.#settings = settings;
  }

  /** Called while the node leads PostgreSQL. Nobody waits for it: the guard has more urgent things to do. */
  consider(): void {
    const { address, dcs } = this.#settings;
    if (!dcs.includes(address) || dcs.length === 1) return;
    this.#pending ??= this.#move()
      .catch((error: unknown) => {
        process.stderr.write(`etcd's leader could not be moved: ${String(error)}\n`);
      })
      .then(() => sleep(betweenMs))
      .finally(() => {
        this.#pending = null;
      });
  }

  async #move(): Promise<void> {
    const { address, dcs } = this.#settings;
    using client = await PeerClient.open();
    // The others are asked only when there is something to be moved.
    if (!(await askDcsStatus(client, address)).isLeader) return;
    const { moved, address: leader } = await moveDcsLeader(client, dcs, (one) => one !== address);
    if (moved)
      process.stdout.write(`etcd's leader was on this node, which leads PostgreSQL: it is on ${leader}\n`);
  }
}
