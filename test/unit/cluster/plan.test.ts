import { describe, expect, test } from "vitest";
import {
  type Change,
  type ClusterSpec,
  type ConvergeRequest,
  forecast,
  type ObservedCluster,
  planNext,
} from "../../../layers/domain/index.ts";
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

const [first, second, third, fourth, fifth] = [0, 1, 2, 3, 4].map(nodeId);

function changesOf(spec: ClusterSpec, start: ObservedCluster, request: ConvergeRequest = requestOf()) {
  const { changes, blocked } = forecast({ spec, request }, start);
  expect(blocked).toBeNull();
  return changes;
}

function blockedOf(spec: ClusterSpec, start: ObservedCluster, request: ConvergeRequest = requestOf()) {
  return forecast({ spec, request }, start).blocked;
}

/** `kind node`, for reading a plan at a glance. */
function brief(changes: readonly Change[]): string[] {
  const names = new Map([first, second, third, fourth, fifth].map((id, index) => [id, `n${index + 1}`]));
  return changes.map((change) => {
    const id = "nodeId" in change ? (change.nodeId ?? "") : "";
    return id === "" ? change.kind : `${change.kind} ${names.get(id) ?? "new"}`;
  });
}

const replaceOf = (cluster: ObservedCluster, id: string | undefined, zone: string | null, fresh: boolean) => {
  const record = cluster.nodes.find((node) => node.record.id === id)?.record;
  return requestOf({
    replace: {
      nodeId: id ?? "",
      instanceId: record?.instanceId ?? null,
      volumeId: fresh || zone !== null ? (record?.volumeId ?? null) : null,
      zone,
    },
  });
};

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

describe("a parameter that takes a restart", () => {
  const spec = specOf();
  const pending = (name: string, from: number, to: number) => {
    const cluster = clusterOf(spec);
    return {
      ...cluster,
      nodes: cluster.nodes.map((node) => ({
        ...node,
        member: node.member && { ...node.member, pendingRestart: [{ name, from, to }] },
      })),
    };
  };
  const restart = requestOf({ apply: "restart" });

  test("waits for one unless it was asked for", () => {
    expect(changesOf(spec, pending("shared_buffers", 1, 2))).toEqual([]);
  });

  test("gets one on each replica, and on the leader once it is none", () => {
    expect(brief(changesOf(spec, pending("shared_buffers", 1, 2), restart))).toEqual([
      "restart-member n3",
      "restart-member n2",
      "move-leader",
      "restart-member n1",
    ]);
  });

  test("and is lower than the replicas must not be below: the leader first, in its place", () => {
    expect(changesOf(spec, pending("max_connections", 200, 100), restart)).toMatchObject([
      { kind: "restart-member", nodeId: first, isLeader: true },
      { kind: "restart-member", nodeId: third, isLeader: false },
      { kind: "restart-member", nodeId: second, isLeader: false },
    ]);
  });

  test("and is raised: the replicas first", () => {
    expect(brief(changesOf(spec, pending("max_connections", 100, 200), restart))).toEqual([
      "restart-member n3",
      "restart-member n2",
      "move-leader",
      "restart-member n1",
    ]);
  });

  test("of a single member: in its place", () => {
    const single = specOf({ members: 1 });
    const alone = withNode(clusterOf(single), first, (node) => ({
      ...node,
      member: node.member && { ...node.member, pendingRestart: [{ name: "port", from: null, to: null }] },
    }));
    expect(changesOf(single, alone, restart)).toEqual([
      { kind: "restart-member", nodeId: first, isLeader: true, withPatroni: false },
    ]);
  });
});

describe("extensions", () => {
  test("are created, updated, and dropped only where the spec had them before", () => {
    const spec = specOf({ extensions: ["vector", "pg_trgm"] });
    const start: ObservedCluster = {
      ...clusterOf(spec),
      database: {
        extensions: [
          { name: "vector", version: "0.7", available: "0.8" },
          { name: "citext", version: "1", available: "1" },
          { name: "hstore", version: "1", available: "1" },
        ],
      },
    };
    expect(changesOf(spec, start, requestOf({ dropExtensions: ["citext"] }))).toEqual([
      { kind: "apply-database", create: ["pg_trgm"], update: ["vector"], drop: ["citext"] },
    ]);
  });
});

test("the pooler comes to all nodes at once and leaves them one by one", () => {
  const pooled = specOf();
  const plain = specOf({ pooler: { enabled: false } });
  const on = changesOf(pooled, clusterOf(plain));
  expect(on.map((change) => change.kind)).toEqual(["set-services", "configure"]);
  const off = changesOf(plain, clusterOf(pooled)).filter((change) => change.kind === "set-services");
  expect(off.map((change) => change.nodes.length)).toEqual([1, 1, 1]);
});

test("security rules, Patroni's settings and configurations that are stale are written, and nothing else happens", () => {
  const spec = specOf();
  const whole = clusterOf(spec);
  const start: ObservedCluster = {
    ...whole,
    securityRules: "stale",
    dynamicConfiguration: "stale",
    nodes: whole.nodes.map((node) => ({ ...node, configuration: "stale" })),
  };
  expect(changesOf(spec, start).map((change) => change.kind)).toEqual([
    "apply-security-rules",
    "configure",
    "apply-dynamic-configuration",
  ]);
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
