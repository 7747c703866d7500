import { describe, expect, test } from "vitest";
import type { Peer } from "../../../layers/domain/node/protocol.ts";
import { withoutKeyFailure, writersWithoutKey } from "../../../layers/node/writers.ts";

const own = "nod_01M801NEC4W2G5JM7Z67PP597A";
const other = "nod_01M801NEC4W2G5JM7Z67PP597B";
const members = [
  { nodeId: own, address: "198.18.0.1" },
  { nodeId: other, address: "198.18.0.2" },
] as Peer[];

/** What PostgreSQL says where, and whom Patroni takes for the leader. */
function eyes(recovery: Record<string, "t" | "f">, leader: string | null) {
  const roles = members.map(({ nodeId }) => ({
    name: nodeId,
    role: nodeId === leader ? "leader" : "replica",
    state: "running",
  }));
  return {
    patroni: { get: async () => ({ status: 200, body: { members: roles } }) },
    postgres: {
      query: async (address: string) => {
        const answer = recovery[address];
        if (answer === undefined) throw new Error("it does not answer");
        return [answer];
      },
    },
  };
}

const found = async (...seen: Parameters<typeof eyes>) =>
  (await writersWithoutKey(eyes(...seen), own, members)).map(({ nodeId }) => nodeId);

describe("a member that takes writes", () => {
  test("as the leader is as it should be", async () => {
    expect(await found({ "127.0.0.1": "t", "198.18.0.2": "f" }, other)).toEqual([]);
    expect(await found({ "127.0.0.1": "f", "198.18.0.2": "t" }, own)).toEqual([]);
  });

  test("while nobody leads is named", async () => {
    expect(await found({ "127.0.0.1": "t", "198.18.0.2": "f" }, null)).toEqual([other]);
    expect(await found({ "127.0.0.1": "f", "198.18.0.2": "t" }, null)).toEqual([own]);
  });

  test("while another leads is named", async () => {
    expect(await found({ "127.0.0.1": "f", "198.18.0.2": "f" }, own)).toEqual([other]);
  });
});

test("members that are silent hold nobody up", async () => {
  expect(await found({ "127.0.0.1": "t" }, null)).toEqual([]);
});

test("the failure names the node and what to do", () => {
  expect(withoutKeyFailure(members.slice(1)).message).toMatch(
    new RegExp(`on ${other} takes writes.* Start patroni.service on ${other} first`),
  );
});
