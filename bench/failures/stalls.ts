import { setTimeout as delay } from "node:timers/promises";
import { failoverTiming } from "../../layers/domain/config/index.ts";
import { cutOff, signal } from "../../test/e2e/support/accidents.ts";
import { report } from "../figure.ts";
import { runs } from "../peers/measure.ts";
import type { Pgherd } from "../peers/pgherd.ts";
import type { Mend } from "./accidents.ts";

const msPerSecond = 1_000;

/** A stall as long as these shares of the leader key's life. */
const stallShares = [0.15, 0.25, 0.35, 0.45, 0.6, 0.8] as const;

interface Stall {
  readonly begin: (system: Pgherd) => Promise<Mend>;
}

export const stalls: Readonly<Record<string, Stall>> = {
  "network of the leader's machine": {
    begin: async (system) => cutOff([await system.leaderAddress()]),
  },
  "every etcd member": {
    begin: async (system) => {
      const { addresses } = system;
      await Promise.all(addresses.map((address) => signal(address, "etcd", "SIGSTOP")));
      return async () => {
        await Promise.all(addresses.map((address) => signal(address, "etcd", "SIGCONT")));
      };
    },
  },
};

/** Stalls of growing length, until one costs the leader: the longest that did not. Every length is tried `runs` times. */
export async function measureStall(
  system: Pgherd,
  profile: keyof typeof failoverTiming,
  name: string,
  stall: Stall,
): Promise<void> {
  const { ttl } = failoverTiming[profile];
  let ridden = 0;
  for (const share of stallShares) {
    const stallMs = share * ttl * msPerSecond;
    for (let run = 0; run < runs; run += 1) {
      await system.becomeWhole();
      const leader = await system.leaderAddress();
      const end = await stall.begin(system);
      await delay(stallMs).finally(end);
      // A leader that gave up, or was given up, is known once the cluster is whole.
      await system.becomeWhole();
      if ((await system.leaderAddress()) !== leader) {
        report(`${profile}: longest stall of ${name} that cost no leader, ms`, [ridden]);
        report(`${profile}: shortest stall of ${name} that cost one, ms`, [stallMs]);
        return;
      }
    }
    ridden = stallMs;
  }
  report(`${profile}: longest stall of ${name} that was tried, none cost a leader, ms`, [ridden]);
}
