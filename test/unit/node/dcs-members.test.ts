import { expect, test } from "vitest";
import { addDcsLearner, removeDcsMember } from "../../../layers/node/dcs-members.ts";
import type { PeerAnswer } from "../../../layers/node/peer-client.ts";
import { nodeIdOf, peerAt, peersOf } from "../config/support.ts";

const unsettled: PeerAnswer = {
  status: 503,
  body: { code: 14, message: "etcdserver: unhealthy cluster" },
};

/** An etcd of one voter that refuses the first changes of its members with `refusals`. */
function etcd(refusals: readonly PeerAnswer[]) {
  const left = [...refusals];
  const changes: string[] = [];
  const members = [
    { ID: "7", name: nodeIdOf(0), peerURLs: [`https://${peerAt(peersOf(1), 0).address}:2380`] },
  ];
  return {
    changes,
    post: async (_address: string, _port: number, path: string): Promise<PeerAnswer> => {
      if (path.endsWith("/member/list")) return { status: 200, body: { members } };
      if (path.endsWith("/status")) return { status: 200, body: { header: { member_id: "7" }, leader: "7" } };
      changes.push(path);
      return left.shift() ?? { status: 200, body: { member: { ID: "8" } } };
    },
  };
}

const asker = { nodeId: nodeIdOf(0), peers: peersOf(1) };

test("etcd is asked again when its connections are too young for a change of its members", async () => {
  const adding = etcd([unsettled]);
  expect(await addDcsLearner(adding, asker, "198.18.0.77")).toBe("8");
  expect(adding.changes).toHaveLength(2);

  const removing = etcd([unsettled]);
  await removeDcsMember(removing, asker, "7");
  expect(removing.changes).toHaveLength(2);
});

test("any other refusal of etcd is said at once, in its words", async () => {
  const words = "etcdserver: re-configuration failed due to not enough started members";
  const refusing = etcd([{ status: 400, body: { code: 9, message: words } }]);
  await expect(removeDcsMember(refusing, asker, "7")).rejects.toThrow(words);
  expect(refusing.changes).toHaveLength(1);
});
