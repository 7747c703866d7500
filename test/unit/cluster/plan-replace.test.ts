import { describe, expect, test } from "vitest";
import { forecast } from "../../../layers/domain/index.ts";
import {
  clusterOf,
  consistent,
  dcsMember,
  dead,
  nodeId,
  requestOf,
  specOf,
  withNode,
} from "./support/clusters.ts";
import { blockedOf, brief, changesOf, first, replaceOf, second, third } from "./support/plans.ts";

describe("replacing a node", () => {
  const spec = specOf();
  const cluster = clusterOf(spec);

  test("keeps interface, volume and place in etcd", () => {
    const changes = changesOf(spec, cluster, replaceOf(cluster, second, null, false));
    expect(brief(changes)).toEqual([
      "remove-instance n2",
      "start-instance n2",
      "configure",
      "await-member n2",
    ]);
  });

  test("that leads moves the leader first", () => {
    const changes = changesOf(spec, cluster, replaceOf(cluster, first, null, false));
    expect(brief(changes).slice(0, 2)).toEqual(["move-leader", "remove-instance n1"]);
  });

  test("with a fresh volume: out of etcd, a clone, back as a learner, and the old volume goes last", () => {
    const changes = changesOf(spec, cluster, replaceOf(cluster, second, null, true));
    expect(brief(changes)).toEqual([
      "remove-dcs-member n2",
      "configure",
      "remove-instance n2",
      "vacate-place n2",
      "make-place n2",
      "start-instance n2",
      "configure",
      "await-member n2",
      "add-dcs-member n2",
      "configure",
      "promote-dcs-member n2",
      "discard-leftovers n2",
    ]);
  });

  test("into another zone takes a new place there", () => {
    const { end, blocked } = forecast({ spec, request: replaceOf(cluster, third, "a", false) }, cluster);
    expect(blocked).toBeNull();
    const moved = end.nodes.find((node) => node.record.id === third);
    expect(moved?.record).toMatchObject({ zone: "a", services: cluster.nodes[2]?.record.services });
    expect(moved?.record.address).not.toBe(cluster.nodes[2]?.record.address);
    expect(moved?.leftovers).toEqual({ volumeIds: [], networkInterfaceIds: [] });
  });

  test("that is dead waits for nobody, and is not taken out of etcd", () => {
    const silent = withNode(cluster, second, (node) => ({
      ...dead(node),
      instance: node.instance && { ...node.instance, answers: false },
    }));
    const hung = consistent({
      ...silent,
      dcs: {
        hasQuorum: true,
        members: silent.dcs.members.map((one) =>
          one.nodeId === second ? { ...one, isHealthy: false } : one,
        ),
      },
    });
    const changes = changesOf(spec, hung, replaceOf(cluster, second, null, false));
    expect(brief(changes)).toEqual([
      "remove-instance n2",
      "start-instance n2",
      "configure",
      "await-member n2",
    ]);
  });

  test("that has the only copy of the data is refused a fresh volume", () => {
    const single = specOf({ members: 1 });
    const alone = clusterOf(single);
    expect(blockedOf(single, alone, replaceOf(alone, first, null, true))).toMatch(/only copy of the data/);
  });
});

describe("a node whose volume is lost", () => {
  const spec = specOf();

  test("gets a new one and a clone", () => {
    const start = withNode(clusterOf(spec), second, (node) => dead(node, true));
    expect(brief(changesOf(spec, start))).toEqual([
      "remove-dcs-member n2",
      "vacate-place n2",
      "make-place n2",
      "start-instance n2",
      "configure",
      "await-member n2",
      "add-dcs-member n2",
      "configure",
      "promote-dcs-member n2",
    ]);
  });

  test("two at once: nothing is done that could make a majority of newcomers", () => {
    const one = withNode(clusterOf(spec), second, (node) => dead(node, true));
    const two = withNode(one, third, (node) => dead(node, true));
    const { changes, blocked } = forecast({ spec, request: requestOf() }, two);
    expect(changes).toEqual([]);
    expect(blocked).toMatch(/POST …\/recover/);
  });

  test("the only one there is: the data is gone, and that is said", () => {
    const single = specOf({ members: 1 });
    const start = withNode(clusterOf(single), first, (node) => dead(node, true));
    expect(blockedOf(single, start)).toMatch(/restore a backup/);
  });
});

test("two dead machines whose volumes are there come back as what they were", () => {
  const spec = specOf();
  const one = withNode(clusterOf(spec), first, (node) => dead(node));
  const two = withNode(one, second, (node) => dead(node));
  expect(two.dcs.hasQuorum).toBe(false);
  const changes = changesOf(spec, two);
  expect(changes.map((change) => change.kind)).not.toContain("remove-dcs-member");
  expect(changes.map((change) => change.kind)).not.toContain("add-dcs-member");
});

test("etcd members that nobody can be any more go, and half-made ones are completed", () => {
  const spec = specOf();
  const whole = clusterOf(spec);
  const stray = dcsMember(null, { memberId: "stray", isHealthy: false });
  const unstarted = dcsMember(nodeId(2), { kind: "learner", isStarted: false, isHealthy: false });
  const members = [...whole.dcs.members.slice(0, 2), stray, unstarted];
  const changes = changesOf(spec, { ...whole, dcs: { hasQuorum: true, members } });
  expect(brief(changes)).toEqual([
    "remove-dcs-member",
    "add-dcs-member n3",
    "configure",
    "promote-dcs-member n3",
  ]);
});
