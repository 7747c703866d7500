import { describe, expect, test } from "vitest";
import type { ObservedCluster } from "../../../layers/domain/index.ts";
import { clusterOf, requestOf, specOf, withNode } from "./support/clusters.ts";
import { brief, changesOf, first, second, third } from "./support/plans.ts";

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
