import fc from "fast-check";
import { expect, test } from "vitest";
import { bestCandidate } from "../../../layers/domain/cluster/role-change.ts";
import type { Assessment } from "../../../layers/domain/node/role-change-verbs.ts";
import { nodeIdOf } from "../config/support.ts";

type Member = Assessment["members"][number];

function member(index: number, about: Partial<Member> = {}): Member {
  return {
    nodeId: nodeIdOf(index) as Member["nodeId"],
    role: "replica",
    state: "streaming",
    timeline: 3,
    replayLagBytes: 0,
    isSynchronous: false,
    noFailover: false,
    ...about,
  };
}

const leader = member(0, { role: "leader", state: "running" });

test("the one that has everything acknowledged comes before the one that has replayed more", () => {
  const behind = member(1, { isSynchronous: true, replayLagBytes: 4096 });
  expect(bestCandidate([leader, member(2), behind], "off")).toBe(behind.nodeId);
});

test("where a commit waits for a standby, no other can take over", () => {
  expect(bestCandidate([leader, member(1), member(2)], "on")).toBeNull();
  expect(bestCandidate([leader, member(1), member(2)], "off")).toBe(nodeIdOf(1));
});

test.each([
  ["that does not stream", { state: "starting" }],
  ["of another timeline", { timeline: 2 }],
  ["that must not lead", { noFailover: true }],
] as const)("a member %s is no candidate", (_, about) => {
  expect(bestCandidate([leader, member(1, about)], "off")).toBeNull();
});

test("of any members, the candidate is one that could lead, and the answer does not depend on their order", () => {
  const members = fc.uniqueArray(
    fc.record({
      index: fc.integer({ min: 1, max: 9 }),
      state: fc.constantFrom("streaming", "running", "stopped"),
      timeline: fc.constantFrom(2, 3),
      replayLagBytes: fc.option(fc.nat(1_000_000)),
      isSynchronous: fc.boolean(),
      noFailover: fc.boolean(),
    }),
    { selector: ({ index }) => index },
  );
  fc.assert(
    fc.property(members, fc.constantFrom("off", "on", "quorum"), (drawn, mode) => {
      const all = [leader, ...drawn.map(({ index, ...about }) => member(index, about))];
      const best = bestCandidate(all, mode);
      expect(bestCandidate(all.toReversed(), mode)).toBe(best);
      const chosen = all.find(({ nodeId }) => nodeId === best);
      if (chosen === undefined) return;
      expect(chosen).toMatchObject({ role: "replica", state: "streaming", timeline: 3, noFailover: false });
      if (mode !== "off") expect(chosen.isSynchronous).toBe(true);
    }),
  );
});
