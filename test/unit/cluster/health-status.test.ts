import { describe, expect, test } from "vitest";
import {
  judge,
  type ObservedHealth,
  unknownHealth,
  wellSentence,
  withPauseReminder,
} from "../../../layers/domain/index.ts";
import { nodeIdOf } from "../config/support.ts";
import { dead, now, twice, well, withInspection, withMember } from "./support/health.ts";

describe("the status", () => {
  test("follows the second look, so that a failover which is over by then is none", () => {
    const trouble = withMember(well(), 2, { state: "starting" });
    const first = judge(trouble, { record: unknownHealth, status: "available", suspected: [] });
    expect(first).toMatchObject({ status: "available", statusReason: wellSentence, events: [] });
    const over = judge(well(), { record: first.record, status: "available", suspected: first.suspected });
    expect(over).toMatchObject({ status: "available", events: [] });
    expect(twice(trouble)).toMatchObject({
      status: "degraded",
      statusReason: expect.stringMatching(
        /^PostgreSQL on node nod_\S+2 in local-1c is starting, not streaming\.$/,
      ),
      events: [{ action: "cluster-degraded" }],
    });
  });

  test("goes back by itself, with one event", () => {
    const { record } = twice(dead(well(), 2));
    const back = judge(well(), { record, status: "degraded", suspected: [] });
    expect(back).toMatchObject({
      status: "available",
      statusReason: wellSentence,
      events: [{ action: "cluster-recovered" }],
    });
    expect(back.record).toMatchObject({ findings: [], silentSince: {} });
  });

  test("tells the worst first and counts the rest", () => {
    const observed = withInspection(dead(well(), 2), 0, { clockSkewMs: 9000 });
    expect(twice(observed).statusReason).toMatch(
      /although its instance runs \(also: clock-skew nod_\S+0\)\.$/,
    );
  });

  test("of a paused cluster says so, well or not", () => {
    const paused = { since: now, until: "2026-01-02T00:00:00.000Z" };
    expect(twice({ ...well(), paused })).toMatchObject({
      status: "available",
      statusReason: withPauseReminder(wellSentence, paused),
    });
    expect(twice({ ...dead(well(), 2), paused }).statusReason).toMatch(/its instance runs\. Paused since/);
  });

  test("has a leader that changed told as an event, and the first one not", () => {
    const { record } = twice(well());
    expect(record.leaders).toEqual({ 0: { nodeId: nodeIdOf(0), timeline: 1 } });
    const moved = withMember(
      withMember(well(), 0, { role: "sync-standby", state: "streaming", timeline: 2 }),
      1,
      {
        role: "leader",
        state: "running",
        timeline: 2,
      },
    );
    expect(judge(moved, { record, status: "available", suspected: [] }).events).toEqual([
      {
        action: "leader-changed",
        detail: `Shard 0 is led by ${nodeIdOf(1)} instead of ${nodeIdOf(0)}, on timeline 2.`,
      },
    ]);
  });

  test("has a leader that was promoted before the first look told too", () => {
    const promoted = withMember(well(), 0, { role: "leader", state: "running", timeline: 2 });
    expect(judge(promoted, { record: unknownHealth, status: "available", suspected: [] }).events).toEqual([
      { action: "leader-changed", detail: `Shard 0 is led by ${nodeIdOf(0)}, on timeline 2.` },
    ]);
  });

  test("the time since when a node is silent begins once, survives looks that see nothing, and ends with a sign", () => {
    const first = twice(dead(well(), 2)).record;
    expect(first.silentSince).toEqual({ [nodeIdOf(2)]: now });
    const later = { ...dead(well(), 2), now: "2026-01-01T00:01:00.000Z" };
    const blind = { ...well(), survey: null, instances: null };
    const seen = (observed: ObservedHealth) =>
      judge(observed, { record: first, status: "degraded", suspected: [] }).record.silentSince;
    expect(seen(later)).toEqual(first.silentSince);
    expect(seen(blind)).toEqual(first.silentSince);
    expect(seen(well())).toEqual({});
  });
});

describe("drift", () => {
  const changed = withInspection(
    withInspection(well(), 0, {
      drift: [{ path: "/etc/pgherd/haproxy.cfg" }, { path: "patroni:/config/ttl" }],
    }),
    1,
    { drift: [{ path: "patroni:/config/ttl" }] },
  );

  test("names files by node and what Patroni keeps once, and makes nothing degraded", () => {
    expect(twice(changed)).toMatchObject({
      status: "available",
      drift: [
        { nodeId: nodeIdOf(0), what: "file", path: "/etc/pgherd/haproxy.cfg" },
        { nodeId: null, what: "patroni", path: "ttl" },
      ],
    });
  });

  test("tells an instance that is not the recorded one", () => {
    const instances = new Map(well().instances).set(nodeIdOf(1), {
      instanceId: "i-other",
      instanceType: "t4g.medium",
      life: "running" as const,
    });
    expect(twice({ ...well(), instances }).drift).toMatchObject([{ nodeId: nodeIdOf(1), what: "instance" }]);
  });

  test("tells an instance of another type than the spec's", () => {
    const { instanceId } = well().cluster.nodes[1] ?? {};
    const other = { instanceId: instanceId ?? "", instanceType: "m7g.large", life: "running" as const };
    const instances = new Map(well().instances).set(nodeIdOf(1), other);
    expect(twice({ ...well(), instances }).drift).toEqual([
      {
        nodeId: nodeIdOf(1),
        what: "instance",
        detail: `${instanceId} is a m7g.large, and the spec asks for a t4g.medium.`,
      },
    ]);
  });
});
