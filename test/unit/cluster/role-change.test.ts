import { describe, expect, test } from "vitest";
import {
  archiveQueueMax,
  checkCandidate,
  replayLagBytesMax,
  transactionSecondsMax,
} from "../../../layers/domain/cluster/role-change.ts";
import { objectionsTo, Problem, possibleLoss } from "../../../layers/domain/index.ts";
import type { Assessment } from "../../../layers/domain/node/role-change-verbs.ts";
import { makeNode } from "../../api/support/fixtures.ts";

const nodes = [makeNode(), makeNode(), makeNode()] as const;
const [leader, standby, replica] = [nodes[0].id, nodes[1].id, nodes[2].id];

const member = (nodeId: string, change: Partial<Assessment["members"][number]> = {}) => ({
  nodeId,
  role: "replica" as const,
  state: "streaming",
  timeline: 3,
  replayLagBytes: 0,
  isSynchronous: false,
  noFailover: false,
  ...change,
});

/** A cluster in which nothing speaks against a role change. */
const well: Assessment = {
  leader,
  candidate: standby,
  timeline: 3,
  members: [
    member(leader, { role: "leader", state: "running", replayLagBytes: null }),
    member(standby, { role: "sync-standby", isSynchronous: true }),
    member(replica),
  ],
  synchronousMode: "on",
  paused: false,
  scheduled: false,
  oldestTransactionSeconds: 0.2,
  archiveQueueLength: 0,
  dcs: { quorum: true, leader: replica },
};
const wish = { candidate: null, force: false };
const codes = (assessment: Assessment, asked = wish) =>
  objectionsTo(assessment, asked).map(({ code }) => code);
const withMember = (nodeId: string, change: Partial<Assessment["members"][number]>): Assessment => ({
  ...well,
  members: well.members.map((one) => (one.nodeId === nodeId ? { ...one, ...change } : one)),
});

describe("a planned role change", () => {
  test("is made where nothing speaks against it", () => {
    expect(objectionsTo(well, wish)).toEqual([]);
  });

  test.each([
    ["etcd has no majority", { ...well, dcs: { quorum: false, leader: null } }, "dcs-without-quorum"],
    ["there is no leader", { ...well, leader: null }, "no-leader"],
    ["another one is due", { ...well, scheduled: true }, "role-change-in-progress"],
    ["nobody can take over", { ...well, candidate: null }, "no-candidate"],
    ["the candidate is never to lead", withMember(standby, { noFailover: true }), "no-candidate"],
    ["the candidate is not synchronous", { ...well, candidate: replica }, "candidate-not-synchronous"],
    ["a replica is being started", withMember(replica, { state: "starting" }), "member-not-streaming"],
    [
      "the candidate is far behind",
      withMember(standby, { replayLagBytes: replayLagBytesMax + 1 }),
      "replication-lag",
    ],
    [
      "nobody knows how far the candidate is",
      withMember(standby, { replayLagBytes: null }),
      "replication-lag",
    ],
    [
      "a transaction is old",
      { ...well, oldestTransactionSeconds: transactionSecondsMax + 1 },
      "long-transaction",
    ],
    ["the archive is behind", { ...well, archiveQueueLength: archiveQueueMax + 1 }, "archive-queue"],
  ])("is refused where %s", (_what, assessment, code) => {
    expect(codes(assessment)).toContain(code);
  });

  test("needs no synchronous candidate where no commit waits for one", () => {
    expect(codes({ ...well, candidate: replica, synchronousMode: "off" })).toEqual([]);
  });

  test("that is forced waits for no transaction, no replay and no archive, but still for a candidate", () => {
    const slow = {
      ...withMember(standby, { replayLagBytes: replayLagBytesMax + 1 }),
      oldestTransactionSeconds: 3_600,
      archiveQueueLength: 1_000,
    };
    expect(codes(slow, { candidate: null, force: true })).toEqual([]);
    expect(codes({ ...slow, candidate: null }, { candidate: null, force: true })).toEqual(["no-candidate"]);
  });

  test("says which of its reasons pass by themselves", () => {
    const [lag] = objectionsTo(withMember(standby, { replayLagBytes: replayLagBytesMax + 1 }), wish);
    const [quorum] = objectionsTo({ ...well, dcs: { quorum: false, leader: null } }, wish);
    const [tagged] = objectionsTo(withMember(standby, { noFailover: true }), wish);
    expect(lag?.isPassing).toBe(true);
    expect(quorum?.isPassing).toBe(true);
    expect(tagged?.isPassing).toBe(false);
  });
});

describe("a failover", () => {
  test("to a synchronous standby loses nothing", () => {
    expect(possibleLoss({ ...well, leader: null })).toBeNull();
  });
  test("to a replica that has everything of a living leader loses nothing", () => {
    expect(possibleLoss({ ...well, candidate: replica })).toBeNull();
  });
  test("to any other replica says that it may lose something", () => {
    expect(possibleLoss({ ...well, leader: null, candidate: replica })).toContain(replica);
    expect(possibleLoss({ ...withMember(replica, { replayLagBytes: 512 }), candidate: replica })).toContain(
      "512",
    );
    expect(possibleLoss({ ...well, leader: null, synchronousMode: "off" })).not.toBeNull();
  });
});

describe("a candidate", () => {
  const codeOf = (act: () => void): string => {
    try {
      act();
    } catch (error) {
      if (error instanceof Problem) return error.code;
      throw error;
    }
    return "none";
  };
  test("is a replica of the cluster", () => {
    expect(codeOf(() => checkCandidate(standby, 0, nodes, leader))).toBe("none");
    expect(codeOf(() => checkCandidate(leader, 0, nodes, leader))).toBe("candidate-is-leader");
    expect(codeOf(() => checkCandidate(makeNode().id, 0, nodes, leader))).toBe("candidate-unknown");
  });
  test("runs PostgreSQL", () => {
    const keeper = makeNode("local-1a", { services: ["etcd"] });
    expect(codeOf(() => checkCandidate(keeper.id, 0, [...nodes, keeper], leader))).toBe("candidate-unknown");
  });
});
