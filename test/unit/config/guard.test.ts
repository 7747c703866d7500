import { describe, expect, test } from "vitest";
import {
  failoverTiming,
  guardSettingsSchema,
  guardSilenceMs,
  renderGuard,
  renderGuardUnit,
} from "../../../layers/domain/config/index.ts";
import { intentOf, peerAt, peersOf } from "./support.ts";

/** What asking the neighbours and stopping PostgreSQL take together, at most. */
const actingMs = 1_500;
/** systemd waits a second before it starts Patroni again, and Patroni needs about two until it answers. */
const patroniStartMs = 3_000;
const profiles = Object.keys(failoverTiming) as (keyof typeof failoverTiming)[];

const settingsOf = (intent: ReturnType<typeof intentOf>) =>
  guardSettingsSchema.parse(JSON.parse(renderGuard(intent, peerAt(intent.peers, 0))));

describe("the guard", () => {
  test("as reviewed", () => expect(renderGuardUnit()).toMatchSnapshot());

  test.each(profiles)("has stopped PostgreSQL before the leader's key ends, with profile %s", (profile) => {
    const { ttl, loop_wait } = failoverTiming[profile];
    expect(guardSilenceMs(profile) + actingMs).toBeLessThan((ttl - loop_wait) * 1_000);
  });

  test.each(profiles)("gives a Patroni that is started again its time, with profile %s", (profile) => {
    expect(guardSilenceMs(profile)).toBeGreaterThan(patroniStartMs);
  });

  test("is told when the cluster gets another profile", () => {
    const changed = intentOf({ failover: { profile: "fast", wrapper: true } });
    expect(settingsOf(changed).silenceMs).toBe(guardSilenceMs("fast"));
    expect(settingsOf(changed)).not.toEqual(settingsOf(intentOf()));
  });

  test("knows the members of its own shard, and not itself", () => {
    const intent = intentOf();
    expect(settingsOf(intent).neighbours).toEqual(intent.peers.slice(1).map(({ address }) => address));
    const elsewhere = intent.peers.map((peer, index) => ({ ...peer, shard: index }));
    expect(settingsOf({ ...intent, peers: elsewhere }).neighbours).toEqual([]);
  });

  test("of the only member has nobody to fear", () => {
    expect(settingsOf(intentOf({ members: 1 }, peersOf(1))).neighbours).toEqual([]);
  });
});
