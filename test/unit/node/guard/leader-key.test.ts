import { describe, expect, test } from "vitest";
import { LeaderKey } from "../../../../layers/node/guard/leader-key.ts";
import type { PeerAnswer } from "../../../../layers/node/peer-client.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const silent = new Error("it does not answer");

/** An etcd per address: who holds the key, and for how many seconds yet; or what it answers instead. */
type Member = { holder: string | null; ttl: string } | PeerAnswer | Error;

function etcd(members: Record<string, Member>) {
  const asked: string[] = [];
  return {
    asked,
    post: async (address: string, _port: number, path: string): Promise<PeerAnswer> => {
      asked.push(address);
      const member = members[address] ?? silent;
      if (member instanceof Error) throw member;
      if (!("holder" in member)) return member;
      if (path === "/v3/lease/timetolive") return { status: 200, body: { ID: "7", TTL: member.ttl } };
      const kvs = member.holder === null ? [] : [{ value: base64(member.holder), lease: "7" }];
      return { status: 200, body: kvs.length === 0 ? {} : { kvs } };
    },
  };
}

const settings = {
  leaderKey: "/pgherd/clu_1-0/leader",
  memberName: "nod_1",
  dcs: ["198.18.0.1", "198.18.0.2"],
};
const withinMs = 1_000;

describe("the leader's key is", () => {
  test.each<[string, Record<string, Member>, number | null]>([
    ["ours for what is left of its lease", { "198.18.0.1": { holder: "nod_1", ttl: "17" } }, 17_000],
    ["not ours when its lease is gone", { "198.18.0.1": { holder: "nod_1", ttl: "-1" } }, 0],
    ["not ours when another holds it", { "198.18.0.1": { holder: "nod_2", ttl: "17" } }, 0],
    ["unknown when nobody holds it", { "198.18.0.1": { holder: null, ttl: "0" } }, null],
    ["unknown when nobody answers", {}, null],
    [
      "unknown when no majority stands behind the answer",
      { "198.18.0.1": { status: 503, body: { code: 14, message: "etcdserver: no leader" } } },
      null,
    ],
    [
      "known from another member when the first is silent",
      { "198.18.0.2": { holder: "nod_1", ttl: "9" } },
      9_000,
    ],
  ])("%s", async (_, members, expected) => {
    expect(await new LeaderKey(settings).oursForMs(etcd(members), withinMs)).toBe(expected);
  });
});

test("who answered last is asked first", async () => {
  const key = new LeaderKey(settings);
  const client = etcd({ "198.18.0.2": { holder: "nod_1", ttl: "9" } });
  await key.oursForMs(client, withinMs);
  client.asked.length = 0;
  await key.oursForMs(client, withinMs);
  expect(new Set(client.asked)).toEqual(new Set(["198.18.0.2"]));
});
