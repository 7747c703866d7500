import {
  type NodeCommands,
  type NodeVerb,
  nodeVerbs,
  type WalPosition,
} from "../../layers/domain/node/index.ts";
import type { PaperPlace } from "./paper-place.ts";

/** The members that an etcd was founded with; the same ones are the same etcd. */
type Founders = string;

/**
 * A small model of etcd on the nodes and of how far their copies reach: it refuses a second etcd while one of another
 * founding still runs.
 */
export class PaperDcs {
  /** Node → the etcd that its volume holds a part of. */
  readonly holders = new Map<string, Founders>();
  readonly reached = new Map<string, WalPosition | null>();
  readonly #stopped = new Set<string>();

  /** Undefined: not a verb of this family, or one that others answer. */
  do(verb: NodeVerb, raw: unknown, place: PaperPlace): unknown {
    switch (verb) {
      case "wal-position": {
        const { nodeId } = nodeVerbs["wal-position"].input.parse(raw);
        return { reached: this.reached.get(nodeId) ?? null };
      }
      case "shut-down": {
        const { nodeId, services } = nodeVerbs["shut-down"].input.parse(raw);
        if (services.includes("etcd")) this.#stopped.add(nodeId);
        return undefined;
      }
      case "forget-dcs":
        this.holders.delete(nodeVerbs["forget-dcs"].input.parse(raw).nodeId);
        return {};
      case "await-dcs":
        must(this.#hasMajority(place), "there is no majority");
        return {};
      case "await-member":
        return this.#awaitMember(nodeVerbs["await-member"].input.parse(raw), place);
      default:
        return undefined;
    }
  }

  /** A volume that holds a part of an etcd goes on with that; an empty one founds another. */
  configured(intent: NodeCommands["configure"]["input"], isUp: (nodeId: string) => boolean): void {
    const members = intent.peers.filter((peer) => peer.services.includes("etcd")).map((peer) => peer.nodeId);
    this.#stopped.delete(intent.nodeId);
    if (!members.includes(intent.nodeId) || this.holders.has(intent.nodeId)) return;
    const founders = members.toSorted().join(" ");
    for (const [nodeId, other] of this.holders) {
      const runs =
        isUp(nodeId) && !this.#stopped.has(nodeId) && intent.peers.some((one) => one.nodeId === nodeId);
      if (runs && other !== founders) throw new Error(`${nodeId} still runs an etcd of ${other}`);
    }
    this.holders.set(intent.nodeId, founders);
  }

  #hasMajority({ isUp }: PaperPlace): boolean {
    return [...new Set(this.holders.values())].some((founders) => {
      const members = founders.split(" ");
      const healthy = members.filter((nodeId) => isUp(nodeId) && this.holders.get(nodeId) === founders);
      return healthy.length > members.length / 2;
    });
  }

  #awaitMember(
    { member }: NodeCommands["await-member"]["input"],
    place: PaperPlace,
  ): NodeCommands["await-member"]["output"] {
    const founders = member === null ? undefined : this.holders.get(member);
    const members = founders?.split(" ") ?? [];
    const healthy = members.filter((nodeId) => place.isUp(nodeId) && this.holders.get(nodeId) === founders);
    const isThere = healthy.length > members.length / 2;
    return { isThere, state: isThere ? "running" : "stopped" };
  }
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
