import { describe, expect, test } from "vitest";
import type { Peer } from "../../../layers/domain/node/protocol.ts";
import { awaitKey, withoutKeyFailure, writersWithoutKey } from "../../../layers/node/writers.ts";

const own = "nod_01M801NEC4W2G5JM7Z67PP597A";
const other = "nod_01M801NEC4W2G5JM7Z67PP597B";
const members = [
  { nodeId: own, address: "198.18.0.1" },
  { nodeId: other, address: "198.18.0.2" },
] as Peer[];

interface Seen {
  /** What PostgreSQL says where: whether it is in recovery. */
  readonly recovery: Record<string, "t" | "f">;
  /** Who has the leader's key by the word of the DCS. */
  readonly leader: string | null;
  /** Addresses at which no Patroni answers. */
  readonly dead?: readonly string[];
}

function eyes({ dead = [], leader, recovery }: Seen) {
  const roles = members.map(({ nodeId }) => ({
    name: nodeId,
    role: nodeId === leader ? "leader" : "replica",
    state: "running",
  }));
  return {
    patroni: {
      get: async (address: string, _port: number, path: string) => {
        if (path === "/patroni" && dead.includes(address)) throw new Error("connection refused");
        return { status: 200, body: { members: roles } };
      },
    },
    postgres: {
      query: async (address: string) => {
        const answer = recovery[address];
        if (answer === undefined) throw new Error("it does not answer");
        return [answer];
      },
    },
  };
}

const found = async (recovery: Seen["recovery"], leader: string | null, dead: readonly string[] = []) =>
  (await writersWithoutKey(eyes({ recovery, leader, dead }), own, members)).writers.map(
    ({ nodeId }) => nodeId,
  );

describe("a member that takes writes", () => {
  test("as the leader is as it should be", async () => {
    expect(await found({ "127.0.0.1": "t", "198.18.0.2": "f" }, other)).toEqual([]);
    expect(await found({ "127.0.0.1": "f", "198.18.0.2": "t" }, own)).toEqual([]);
  });

  test("while nobody leads is named", async () => {
    expect(await found({ "127.0.0.1": "t", "198.18.0.2": "f" }, null)).toEqual([other]);
    expect(await found({ "127.0.0.1": "f", "198.18.0.2": "t" }, null)).toEqual([own]);
  });

  test("with a key that nobody renews any more is named", async () => {
    const writing = { "127.0.0.1": "t", "198.18.0.2": "f" } as const;
    expect(await found(writing, other, ["198.18.0.2"])).toEqual([other]);
    expect(await found(writing, other, ["127.0.0.1"])).toEqual([]);
  });

  test("while another leads is named", async () => {
    expect(await found({ "127.0.0.1": "f", "198.18.0.2": "f" }, own)).toEqual([other]);
  });
});

describe("what is waited for", () => {
  const patience = { keyMs: 60, silentMs: 30, pollMs: 5 };
  const waits = (...seen: readonly Seen[]): Promise<void> => {
    let asked = 0;
    const now = () => eyes(seen[Math.min(asked, seen.length - 1)] ?? { recovery: {}, leader: null });
    const changing = {
      patroni: { get: (...request: [string, number, string]) => now().patroni.get(...request) },
      postgres: {
        query: (address: string) => {
          // The other one is asked last.
          const answer = now().postgres.query(address);
          if (address !== "127.0.0.1") asked += 1;
          return answer;
        },
      },
    };
    return awaitKey(changing, own, members, patience);
  };
  const well: Seen = { recovery: { "127.0.0.1": "t", "198.18.0.2": "f" }, leader: other };

  test("is that whoever takes writes has the key", async () => {
    await waits(well);
    await waits({ ...well, leader: null }, { ...well, leader: null }, well);
  });

  test("ends with the name of one that never gets it", async () => {
    await expect(waits({ ...well, leader: null })).rejects.toThrow(other);
  });

  test("is an answer of each: one that was only busy is not passed over", async () => {
    const busy: Seen = { recovery: { "127.0.0.1": "t" }, leader: null };
    await expect(waits(busy, { ...well, leader: null })).rejects.toThrow(other);
  });

  test("is no answer of one that is gone", async () => {
    await waits({ recovery: { "127.0.0.1": "t" }, leader: null });
  });
});

test("the failure names the node and what to do", () => {
  expect(withoutKeyFailure(members.slice(1)).message).toMatch(
    new RegExp(`on ${other} takes writes.* Start patroni.service on ${other} first`),
  );
});
