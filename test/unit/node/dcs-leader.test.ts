import { describe, expect, test } from "vitest";
import { moveDcsLeader } from "../../../layers/node/dcs-leader.ts";
import type { PeerAnswer } from "../../../layers/node/peer-client.ts";

const [first, second, third] = ["198.18.0.1", "198.18.0.2", "198.18.0.3"] as const;
const addresses = [first, second, third];

/** etcd at these addresses: voters, learners and those that do not answer. */
function etcd(roles: Record<string, "leader" | "voter" | "learner" | "silent">, refusal?: PeerAnswer) {
  const leader = Object.keys(roles).find((address) => roles[address] === "leader") ?? "0";
  const transfers: unknown[] = [];
  return {
    transfers,
    post: async (
      address: string,
      _port: number,
      path: string,
      _ms: number,
      body: object,
    ): Promise<PeerAnswer> => {
      const role = roles[address] ?? "silent";
      if (role === "silent") throw new Error("it does not answer");
      if (path === "/v3/maintenance/status") {
        const learner = role === "learner" ? { isLearner: true } : {};
        return { status: 200, body: { header: { member_id: address }, leader, ...learner } };
      }
      transfers.push([address, path, body]);
      return refusal ?? { status: 200, body: {} };
    },
  };
}

const notFirst = (address: string): boolean => address !== first;

describe("etcd's leader", () => {
  test("goes from where it should not be to a voter that answers", async () => {
    const client = etcd({ [first]: "leader", [second]: "silent", [third]: "voter" });
    expect(await moveDcsLeader(client, addresses, notFirst)).toEqual({ address: third, moved: true });
    expect(client.transfers).toEqual([[first, "/v3/maintenance/transfer-leadership", { targetID: third }]]);
  });

  test.each([
    ["where it may be", { [first]: "voter", [second]: "leader", [third]: "voter" }, second],
    ["where it is while only a learner could take over", { [first]: "leader", [second]: "learner" }, first],
    ["where it is while nobody else answers", { [first]: "leader" }, first],
  ] as const)("stays %s", async (_, roles, address) => {
    const client = etcd(roles);
    expect(await moveDcsLeader(client, addresses, notFirst)).toEqual({ address, moved: false });
    expect(client.transfers).toEqual([]);
  });

  test("that does not move is told in etcd's words", async () => {
    const words = "etcdserver: request timed out, waiting for leader transfer";
    const client = etcd({ [first]: "leader", [second]: "voter" }, { status: 500, body: { message: words } });
    await expect(moveDcsLeader(client, addresses, notFirst)).rejects.toThrow(words);
  });

  test("is missed when there is none", async () => {
    const client = etcd({ [first]: "voter", [second]: "voter" });
    await expect(moveDcsLeader(client, addresses, notFirst)).rejects.toThrow("etcd has no leader");
  });
});
