import {
  cutOff,
  cutZone,
  fillVolume,
  killForGood,
  shellAt,
  signal,
} from "../../test/e2e/support/accidents.ts";
import type { Environment } from "../../test/e2e/support/environment.ts";
import type { Pgherd } from "../peers/pgherd.ts";

/** Mends what does not mend itself. */
export type Mend = () => Promise<void>;
const nothing: Mend = async () => undefined;

export interface Accident {
  readonly happen: (system: Pgherd, environment: Environment) => Promise<Mend>;
  /**
   * How long it is watched: `takeover` until another member leads, as PostgreSQL may go on for a while and what the
   * accident does to its clients begins then; `expiry` until a leader's key that is not renewed has ended; `writes`
   * until everybody writes; `mended` is mended at once, as nobody writes before.
   */
  readonly watched: "takeover" | "expiry" | "writes" | "mended";
}

export const accidents: Readonly<Record<string, Accident>> = {
  "leader's PostgreSQL killed": {
    happen: (system) => system.killPostgres().then(() => nothing),
    watched: "writes",
  },
  "leader's machine killed": {
    happen: (system) => system.loseMachine().then(() => nothing),
    watched: "takeover",
  },
  "leader's machine shut down in order": {
    happen: async (system) => {
      await shellAt(await system.leaderAddress(), "systemctl --no-block reboot");
      return nothing;
    },
    watched: "takeover",
  },
  "leader's network cut": {
    happen: async (system) => cutOff([await system.leaderAddress()]),
    watched: "takeover",
  },
  "leader's zone cut": {
    happen: async (system, environment) => cutZone(environment, (await system.leader()).zone),
    watched: "takeover",
  },
  "leader's Patroni killed for good": {
    happen: async (system) => killForGood(await system.leaderAddress(), "patroni.service"),
    watched: "takeover",
  },
  "leader's Patroni hangs": {
    happen: async (system) => signal(await system.leaderAddress(), "patroni", "SIGSTOP").then(() => nothing),
    watched: "takeover",
  },
  "etcd's leader killed": {
    happen: async (system) => signal(await system.dcsLeaderAddress(), "etcd", "SIGKILL").then(() => nothing),
    watched: "writes",
  },
  "two of three etcd members killed": {
    happen: async (system) => {
      const leader = await system.leaderAddress();
      const others = system.addresses.filter((address) => address !== leader);
      const starts = await Promise.all(others.map((address) => killForGood(address, "etcd.service")));
      return async () => {
        await Promise.all(starts.map((start) => start()));
      };
    },
    watched: "expiry",
  },
  "leader's data volume full": {
    happen: async (system) => fillVolume(await system.leaderAddress()),
    watched: "mended",
  },
  "leader's pooler killed": {
    happen: async (system) =>
      signal(await system.leaderAddress(), "pgbouncer", "SIGKILL").then(() => nothing),
    watched: "writes",
  },
  "leader's HAProxy killed": {
    happen: async (system) => signal(await system.leaderAddress(), "haproxy", "SIGKILL").then(() => nothing),
    watched: "writes",
  },
};
