import { expect, test } from "vitest";
import { isUndisputed } from "../../../../layers/node/guard/neighbours.ts";

const follows = { role: "replica" };
const leads = { role: "primary" };

function members(own: number, others: readonly (object | null)[]) {
  return {
    status: async () => own,
    get: async (address: string) => {
      const body = others[Number(address)];
      if (body === null || body === undefined) throw new Error("it does not answer");
      return { status: 200, body };
    },
  };
}

test.each<[string, number, (object | null)[], boolean]>([
  ["every neighbour follows", 200, [follows, follows], true],
  ["one neighbour cannot be reached", 200, [follows, null], false],
  ["one neighbour leads", 200, [follows, leads], false],
  ["this node's own Patroni has lost its loop", 503, [follows, follows], false],
])(
  "without etcd, a leader is undisputed only if nobody can have been promoted: %s",
  async (_, own, others, expected) => {
    const addresses = others.map((_, index) => String(index));
    expect(await isUndisputed(members(own, others), addresses)).toBe(expected);
  },
);
