import { describe, expect, test } from "vitest";
import { forecast, planNext } from "../../../layers/domain/index.ts";
import { clusterOf, dead, nodeId, requestOf, specOf, withNode } from "./support/clusters.ts";
import { brief, changesOf, fifth, fourth, second } from "./support/plans.ts";

describe("a cluster that is what its spec says", () => {
  test("is left alone", () => {
    for (const spec of [
      specOf(),
      specOf({ members: 1 }),
      specOf({ members: 9, dcs: { members: 7 } }),
      specOf({ dcs: { placement: "dedicated" }, proxy: { placement: "dedicated" } }),
    ]) {
      expect(planNext({ spec, request: requestOf() }, clusterOf(spec))).toBeNull();
    }
  });

  test("is not looked at for what concerns its record alone", () => {
    const spec = specOf();
    const hurt = withNode(clusterOf(spec), second, (node) => dead(node));
    expect(planNext({ spec, request: requestOf({ isRecordOnly: true }) }, hurt)).toBeNull();
  });
});

describe("scaling", () => {
  test("out: a place, a machine, its configuration, its data; then etcd where it should be", () => {
    const spec = specOf({ members: 2 });
    const changes = changesOf(specOf({ members: 3, dcs: { members: 3 } }), clusterOf(spec));
    expect(brief(changes)).toEqual([
      "add-node new",
      "make-place new",
      "start-instance new",
      "configure",
      "await-member new",
      "add-dcs-member n2",
      "configure",
      "promote-dcs-member n2",
      "add-dcs-member new",
      "configure",
      "promote-dcs-member new",
    ]);
  });

  test("in: the youngest goes first, and etcd leaves it before it does", () => {
    const spec = specOf({ members: 5, dcs: { members: 5 } });
    const changes = changesOf(specOf({ members: 3, dcs: { members: 3 } }), clusterOf(spec));
    expect(brief(changes)).toEqual([
      "remove-dcs-member n4",
      "configure",
      "remove-dcs-member n5",
      "configure",
      "remove-node n5",
      "configure",
      "remove-node n4",
      "configure",
    ]);
  });

  test("in, where the youngest leads: the leader moves to one that stays, once", () => {
    const spec = specOf({ members: 5 });
    const start = { ...clusterOf(spec), leader: nodeId(4) };
    const changes = changesOf(specOf({ members: 3 }), start);
    const moves = changes.filter((change) => change.kind === "move-leader");
    expect(moves).toEqual([{ kind: "move-leader", from: fifth, candidate: null, avoid: [fourth] }]);
  });

  test("to dedicated etcd and proxies and back: what is new comes first", () => {
    const colocated = specOf();
    const dedicated = specOf({ dcs: { placement: "dedicated" }, proxy: { placement: "dedicated" } });
    const there = forecast({ spec: dedicated, request: requestOf() }, clusterOf(colocated));
    expect(there.blocked).toBeNull();
    expect(there.changes.filter((change) => change.kind === "add-node")).toHaveLength(5);
    expect(there.changes.map((change) => change.kind)).not.toContain("move-leader");
    const back = forecast({ spec: colocated, request: requestOf() }, there.end);
    expect(back.blocked).toBeNull();
    expect(back.changes.filter((change) => change.kind === "remove-node")).toHaveLength(5);
    expect(back.end.nodes.map((node) => node.record.services)).toEqual(
      clusterOf(colocated).nodes.map((node) => node.record.services),
    );
  });
});

describe("another size", () => {
  test("goes node by node, the leader last and after a role change", () => {
    const changes = changesOf(specOf({ instanceType: "t4g.large" }), clusterOf(specOf()));
    expect(brief(changes).filter((line) => !line.startsWith("configure"))).toEqual([
      "remove-instance n3",
      "start-instance n3",
      "await-member n3",
      "remove-instance n2",
      "start-instance n2",
      "await-member n2",
      "move-leader",
      "remove-instance n1",
      "start-instance n1",
      "await-member n1",
    ]);
  });

  test("of a volume takes nobody away", () => {
    const changes = changesOf(specOf({ storage: { sizeGiB: 40 } }), clusterOf(specOf()));
    expect(brief(changes)).toEqual(["grow-volume n1", "grow-volume n2", "grow-volume n3"]);
  });
});

test("a DCS of one is elsewhere while its node is replaced", () => {
  const spec = specOf({ members: 2 });
  const changes = changesOf({ ...spec, instanceType: "t4g.large" }, clusterOf(spec));
  const kinds = brief(changes).filter((line) => !line.startsWith("configure"));
  expect(kinds).toEqual([
    "remove-instance n2",
    "start-instance n2",
    "await-member n2",
    "add-dcs-member n2",
    "promote-dcs-member n2",
    "remove-dcs-member n1",
    "move-leader",
    "remove-instance n1",
    "start-instance n1",
    "await-member n1",
  ]);
});
