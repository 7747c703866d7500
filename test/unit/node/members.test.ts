import { expect, test } from "vitest";
import type { Observation } from "../../../layers/domain/node/protocol.ts";
import { missing } from "../../../layers/node/verbs/await-members.ts";

type Member = Observation["members"][number];

function member(role: Member["role"], state: string): Member {
  return { nodeId: `nod_${role}`, role, state, timeline: 1, lagBytes: 0, pendingRestart: false };
}

const leader = member("leader", "running");
const wanted = { members: 3, synchronousStandbys: 1 };

test.each<[string, Member[], string]>([
  ["nobody", [], "no leader yet"],
  ["a leader that starts", [member("leader", "starting")], "no leader yet"],
  [
    "replicas without a leader",
    [member("replica", "streaming"), member("replica", "streaming")],
    "no leader yet",
  ],
  [
    "a replica that is being cloned",
    [leader, member("replica", "creating replica")],
    "0 of 2 replicas stream from nod_leader",
  ],
  [
    "a replica that runs and does not stream",
    [leader, member("sync-standby", "streaming"), member("replica", "running")],
    "1 of 2 replicas stream from nod_leader",
  ],
  [
    "no synchronous standby yet",
    [leader, member("replica", "streaming"), member("replica", "streaming")],
    "0 of 1 standbys are synchronous",
  ],
])("%s is not enough", (_, members, lacking) => {
  expect(missing(members, wanted)).toBe(lacking);
});

test("a leader, its replicas streaming and one of them synchronous is enough", () => {
  expect(
    missing([leader, member("sync-standby", "streaming"), member("replica", "streaming")], wanted),
  ).toBeNull();
});

test("one member needs nobody", () => {
  expect(missing([leader], { members: 1, synchronousStandbys: 0 })).toBeNull();
});
