import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterRollingChange,
  forecastRestart,
  planRestart,
  type Restarted,
  type RestartWish,
  type RollingChange,
  type RollingMember,
  rollingMember,
} from "../../../layers/domain/index.ts";

const everybody: RestartWish = { nodeIds: null, onlyPendingRestart: false };
const waiting: RestartWish = { nodeIds: null, onlyPendingRestart: true };
const raised = { name: "max_connections", from: 100, to: 200 };
const lowered = { name: "max_connections", from: 200, to: 100 };

const member = (nodeId: string, change: Partial<RollingMember> = {}): RollingMember => ({
  nodeId,
  isLeader: false,
  isHealthy: true,
  isSynchronous: false,
  pending: [],
  ...change,
});
const three = (change: Partial<RollingMember> = {}): RollingMember[] => [
  member("a", { isLeader: true, ...change }),
  member("b", { isSynchronous: true, ...change }),
  member("c", change),
];

const words = (changes: readonly RollingChange[]): string[] =>
  changes.map((change) =>
    change.kind === "move-leader"
      ? `move ${change.from}`
      : `restart ${change.nodeId}${change.isLeader ? " in place" : ""}`,
  );

describe("a rolling restart", () => {
  test("takes replicas first, those first that no commit waits for, and the leader last, after it has moved", () => {
    expect(words(forecastRestart(everybody, three()))).toEqual([
      "restart c",
      "restart b",
      "move a",
      "restart a",
    ]);
  });

  test("of the leader alone moves it first", () => {
    const wish = { ...everybody, nodeIds: ["a"] };
    expect(words(forecastRestart(wish, three()))).toEqual(["move a", "restart a"]);
  });

  test("leaves the leader where it is when it is not meant", () => {
    const wish = { ...everybody, nodeIds: ["b"] };
    expect(words(forecastRestart(wish, three()))).toEqual(["restart b"]);
  });

  test("of an only member happens in place", () => {
    expect(words(forecastRestart(everybody, [member("a", { isLeader: true })]))).toEqual([
      "restart a in place",
    ]);
  });

  test("with nothing that waits for it does nothing, if only that was asked for", () => {
    expect(forecastRestart(waiting, three())).toEqual([]);
  });

  test("takes only members that wait, if only they were asked for", () => {
    const [a, b, c] = three();
    const members = [a, b && { ...b, pending: [raised] }, c].filter((one) => one !== undefined);
    expect(words(forecastRestart(waiting, members))).toEqual(["restart b"]);
  });

  test("that takes a shared parameter down begins with the leader, in place: a standby must not have less", () => {
    expect(words(forecastRestart(waiting, three({ pending: [lowered] })))).toEqual([
      "restart a in place",
      "restart c",
      "restart b",
    ]);
  });

  test("that takes one down and another up takes replicas before and after the leader", () => {
    const up = { name: "max_worker_processes", from: 8, to: 16 };
    expect(words(forecastRestart(waiting, three({ pending: [lowered, up] })))).toEqual([
      "restart c",
      "restart b",
      "restart a in place",
      "restart c",
      "restart b",
    ]);
  });

  test("takes nobody away while another one is, and says who", () => {
    const [a, b, c] = three();
    const members = [a, b, c && { ...c, isHealthy: false }].filter((one) => one !== undefined);
    const plan = planRestart({ ...everybody, nodeIds: ["b"] }, [], members);
    expect(plan).toEqual({ blocked: "c does not stream from the leader." });
    const ofLeader = planRestart({ ...everybody, nodeIds: ["a"] }, [], members);
    expect(ofLeader).toEqual({ blocked: "c does not stream from the leader." });
  });

  test("begins with the one that is away already", () => {
    const [a, b, c] = three();
    const members = [a, b && { ...b, isHealthy: false }, c].filter((one) => one !== undefined);
    expect(planRestart(everybody, [], members)).toMatchObject({ change: { nodeId: "b" } });
  });

  test("waits for a leader", () => {
    const members = three().map((one) => ({ ...one, isLeader: false }));
    expect(planRestart(everybody, [], members)).toMatchObject({
      blocked: expect.stringContaining("no leader"),
    });
  });

  test("goes on where a leader that failed over in the middle has not been restarted", () => {
    const done: Restarted[] = [{ nodeId: "c", inPlace: false }];
    const members = [member("a"), member("b", { isLeader: true }), member("c", { isSynchronous: true })];
    expect(planRestart(everybody, done, members)).toMatchObject({ change: { nodeId: "a" } });
  });
});

test("Patroni's words become what the roll goes by", () => {
  const seen = { nodeId: "a", timeline: 1, lagBytes: 0, role: "replica", state: "streaming" } as const;
  const reason = [{ name: "shared_buffers", from: "128MB", to: "256MB" }];
  expect(rollingMember({ ...seen, pendingRestart: false })).toMatchObject({ isHealthy: true, pending: [] });
  expect(rollingMember({ ...seen, pendingRestart: true }).pending).toHaveLength(1);
  expect(rollingMember({ ...seen, pendingRestart: true, waiting: reason }).pending).toEqual([
    { name: "shared_buffers", from: null, to: null },
  ]);
  expect(rollingMember({ ...seen, state: "start failed", pendingRestart: false }).isHealthy).toBe(false);
});

describe("from any state, a roll", () => {
  const parameters = fc.subarray([
    { name: "shared_buffers", from: null, to: null },
    raised,
    { name: "max_worker_processes", from: 16, to: 8 },
  ]);
  const shards = fc
    .record({
      count: fc.integer({ min: 1, max: 9 }),
      leader: fc.nat(),
      away: fc.option(fc.nat(), { freq: 2 }),
      synchronous: fc.nat(),
      pending: parameters,
      waiting: fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }),
    })
    .map(({ count, leader, away, synchronous, pending, waiting: waits }) =>
      Array.from({ length: count }, (_, index) =>
        member(`nod_${index}`, {
          isLeader: index === leader % count,
          isHealthy: away === null || index === leader % count || index !== away % count,
          isSynchronous: index !== leader % count && index === synchronous % count,
          pending: waits[index] === true ? pending : [],
        }),
      ),
    );
  const wishes = fc.record({
    chosen: fc.option(fc.array(fc.nat({ max: 8 }), { minLength: 1 })),
    onlyPendingRestart: fc.boolean(),
  });

  test("restarts everybody who is meant, never two at once, never a leader that could hand over, and stops", () => {
    fc.assert(
      fc.property(shards, wishes, (start, { chosen, onlyPendingRestart }) => {
        const ids = chosen?.map((index) => `nod_${index % start.length}`) ?? null;
        const wish: RestartWish = { nodeIds: ids, onlyPendingRestart };
        const done: Restarted[] = [];
        let state: readonly RollingMember[] = start;
        let moves = 0;
        for (let round = 0; ; round += 1) {
          expect(round).toBeLessThan(2 * start.length + 2);
          const plan = planRestart(wish, done, state);
          if (plan === null) break;
          const away = state.filter((one) => !one.isHealthy);
          if ("blocked" in plan) {
            expect(away.map((one) => one.nodeId)).not.toEqual([]);
            return;
          }
          const { change } = plan;
          if (change.kind === "move-leader") {
            moves += 1;
            expect(away).toEqual([]);
          } else {
            expect(away.every((one) => one.nodeId === change.nodeId)).toBe(true);
            expect(ids === null || ids.includes(change.nodeId)).toBe(true);
            const isLowering = state.some((one) => one.isLeader && one.pending.some(({ to }) => to === 8));
            if (change.isLeader) expect(state.length === 1 || isLowering).toBe(true);
            done.push({ nodeId: change.nodeId, inPlace: change.isLeader });
          }
          state = afterRollingChange(change, state);
        }
        expect(moves).toBeLessThanOrEqual(1);
        const meant = state.filter((one) => ids === null || ids.includes(one.nodeId));
        for (const one of meant) {
          if (!onlyPendingRestart) expect(done.some((other) => other.nodeId === one.nodeId)).toBe(true);
          // What is left waits for a leader that nobody wanted restarted.
          const isLeaderMeant = meant.some((other) => other.isLeader);
          if (onlyPendingRestart && isLeaderMeant) expect(one.pending).toEqual([]);
        }
      }),
      { numRuns: 500 },
    );
  });
});
