import { describe, expect, test } from "vitest";
import {
  failoverTiming,
  guardGraceMs,
  guardSettingsSchema,
  renderGuard,
  renderGuardUnit,
} from "../../../layers/domain/config/index.ts";
import { clusterId, intentOf, peerAt, peersOf } from "./support.ts";

/** What asking the neighbours and stopping PostgreSQL take together, at most. */
const actingMs = 1_500;
const profiles = Object.keys(failoverTiming) as (keyof typeof failoverTiming)[];

const settingsOf = (intent: ReturnType<typeof intentOf>) =>
  guardSettingsSchema.parse(JSON.parse(renderGuard(intent, peerAt(intent.peers, 0))));

describe("the guard", () => {
  test("as reviewed", () => expect(renderGuardUnit()).toMatchSnapshot());

  test.each(profiles)(
    "has stopped PostgreSQL before a key ends that it never saw, with profile %s",
    (profile) => {
      const { ttl, loop_wait } = failoverTiming[profile];
      expect(guardGraceMs(profile) + actingMs).toBeLessThan((ttl - loop_wait) * 1_000);
    },
  );

  test("is told when the cluster gets another profile", () => {
    const changed = intentOf({ failover: { profile: "fast", wrapper: true } });
    expect(settingsOf(changed).graceMs).toBe(guardGraceMs("fast"));
    expect(settingsOf(changed)).not.toEqual(settingsOf(intentOf()));
  });

  test("reads the key that Patroni writes, from the node's own etcd first", () => {
    const intent = intentOf();
    const self = peerAt(intent.peers, 2);
    const settings = guardSettingsSchema.parse(JSON.parse(renderGuard(intent, self)));
    expect(settings).toMatchObject({ leaderKey: `/pgherd/${clusterId}-0/leader`, memberName: self.nodeId });
    expect(settings.dcs).toEqual([self, ...intent.peers.slice(0, 2)].map(({ address }) => address));
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
