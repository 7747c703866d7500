import { z } from "zod";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import type { GuardSettings } from "../../domain/config/index.ts";
import type { PeerClient } from "../peer-client.ts";

/** An etcd that is well answers within milliseconds. */
const answerMsMax = 700;
const msPerSecond = 1_000;

/** etcd's gRPC gateway writes 64-bit numbers as text, bytes in base64, and leaves out what is empty. */
const rangeSchema = z.object({
  kvs: z.array(z.object({ value: z.base64(), lease: z.string().default("0") })).default([]),
});
const leaseSchema = z.object({ TTL: z.string().default("0") });

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** What etcd says of the leader's key. */
export class LeaderKey {
  readonly #settings: Pick<GuardSettings, "leaderKey" | "memberName">;
  /** Who answered last comes first. */
  #addresses: readonly string[];

  constructor(settings: Pick<GuardSettings, "leaderKey" | "memberName" | "dcs">) {
    this.#settings = settings;
    this.#addresses = settings.dcs;
  }

  /**
   * @returns how long the key is ours for sure (etcd rounds down to whole seconds), 0 if it is another's, null if it is
   * nobody's or no member of etcd could say with a majority behind it.
   */
  async oursForMs(client: Pick<PeerClient, "post">, withinMs: number): Promise<number | null> {
    const endMs = performance.now() + withinMs;
    for (const address of this.#addresses) {
      const leftMs = Math.floor(endMs - performance.now());
      if (leftMs <= 0) break;
      try {
        const ours = await this.#ask(client, address, Math.min(answerMsMax, leftMs));
        this.#addresses = [address, ...this.#addresses.filter((other) => other !== address)];
        return ours;
      } catch {
        // Silent, or without a majority: another member may have one.
      }
    }
    return null;
  }

  async #ask(client: Pick<PeerClient, "post">, address: string, timeoutMs: number): Promise<number | null> {
    const { etcdClient } = nodePorts;
    const key = base64(this.#settings.leaderKey);
    const range = await client.post(address, etcdClient, "/v3/kv/range", timeoutMs, { key });
    const [leader] = rangeSchema.parse(succeeded(range)).kvs;
    if (leader === undefined) return null;
    if (leader.value !== base64(this.#settings.memberName)) return 0;
    const lease = await client.post(address, etcdClient, "/v3/lease/timetolive", timeoutMs, {
      ID: leader.lease,
    });
    return Math.max(0, Number(leaseSchema.parse(succeeded(lease)).TTL)) * msPerSecond;
  }
}

function succeeded({ status, body }: { status: number; body: unknown }): unknown {
  if (status !== 200) throw new Error(`etcd answered ${status}`);
  return body;
}
