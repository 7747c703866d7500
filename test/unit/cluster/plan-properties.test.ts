import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterChange,
  type Change,
  type ClusterSpec,
  type ConvergeRequest,
  forecast,
  nodeCount,
  nodeRole,
  nodeRoles,
  type ObservedCluster,
  planNext,
} from "../../../layers/domain/index.ts";
import { clusterOf, clusters, dead, nodeId, requestOf, specs, withNode, zones } from "./support/clusters.ts";
import { checkReached, checkStep, spread } from "./support/promises.ts";

/** The whole way, with every step looked at. */
function converge(spec: ClusterSpec, start: ObservedCluster, request: ConvergeRequest) {
  const { changes, blocked } = forecast({ spec, request }, start);
  let state = start;
  for (const change of changes) {
    const next = afterChange(state, change);
    checkStep(spec, state, change, next);
    state = next;
  }
  return { changes, blocked, end: state };
}

const requests = fc.constantFrom<ConvergeRequest>(requestOf(), requestOf({ apply: "restart" }));
const moves = (changes: readonly Change[]): number =>
  changes.filter((change) => change.kind === "move-leader").length;
/** 20,000 pass as well; these find what a change of a rule breaks. */
const runs = { numRuns: 300 };

describe("from any state in which no data is lost, a converge", () => {
  test("reaches the spec, step by safe step, and then has nothing left to do", () => {
    fc.assert(
      fc.property(specs, clusters, requests, (spec, start, request) => {
        const { blocked, end } = converge(spec, start, request);

        expect(blocked).toBeNull();
        checkReached(spec, end);
        expect(planNext({ spec, request }, end)).toBeNull();
      }),
      runs,
    );
  });

  test("moves the leader at most once, and twice where only one member is to stay and is worked on", () => {
    fc.assert(
      fc.property(specs, clusters, requests, (spec, start, request) => {
        expect(moves(converge(spec, start, request).changes)).toBeLessThanOrEqual(spec.members === 1 ? 2 : 1);
      }),
      runs,
    );
  });

  test("keeps the oldest nodes of each kind, and leaves the zones at least as even as they were", () => {
    fc.assert(
      fc.property(specs, clusters, requests, (spec, start, request) => {
        const { end } = converge(spec, start, request);
        for (const role of nodeRoles) {
          const before = start.nodes.filter((node) => nodeRole(node.record) === role);
          const kept = before.slice(0, nodeCount(spec, role));
          const after = end.nodes.filter((node) => nodeRole(node.record) === role);
          expect(after.slice(0, kept.length).map((node) => node.record.id)).toEqual(
            kept.map((node) => node.record.id),
          );
          expect(spread(after, zones)).toBeLessThanOrEqual(Math.max(1, spread(kept, zones)));
        }
      }),
      runs,
    );
  });

  test("that was interrupted anywhere and is then asked for something else gets there as well", () => {
    fc.assert(
      fc.property(
        specs,
        specs,
        clusters,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (first, second, start, share) => {
          const { changes } = forecast({ spec: first, request: requestOf() }, start);
          const half = changes.slice(0, Math.floor(changes.length * share)).reduce(afterChange, start);

          const { blocked, end } = converge(second, half, requestOf());

          expect(blocked).toBeNull();
          checkReached(second, end);
        },
      ),
      runs,
    );
  });
});

describe("where volumes are lost, a converge", () => {
  const large = specs.filter((spec) => spec.members >= 3 && spec.dcs.members >= 3);

  test("replaces them one after the other as long as etcd decides, and never by more newcomers than it lost", () => {
    fc.assert(
      fc.property(large, fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8]), (spec, order) => {
        const whole = clusterOf(spec);
        const losable = (spec.dcs.members - 1) / 2;
        const lost = order.slice(0, Math.min(losable, spec.members - 1)).map(nodeId);
        const start = lost.reduce((state, id) => withNode(state, id, (node) => dead(node, true)), {
          ...whole,
          leader: whole.nodes.find((node) => !lost.includes(node.record.id))?.record.id ?? null,
        });

        const { changes, blocked, end } = converge(spec, start, requestOf());

        expect(blocked).toBeNull();
        checkReached(spec, end);
        const newcomers = changes.filter((change) => change.kind === "add-dcs-member").length;
        expect(newcomers).toBeLessThanOrEqual(lost.length);
      }),
      runs,
    );
  });

  test("does nothing without an operator once etcd's majority is lost with them", () => {
    fc.assert(
      fc.property(large, fc.integer({ min: 0, max: 3 }), (spec, more) => {
        const whole = clusterOf(spec);
        const members = whole.dcs.members.flatMap((member) => member.nodeId ?? []);
        const lost = members.slice(0, Math.floor(members.length / 2) + 1 + more);
        const start = lost.reduce((state, id) => withNode(state, id, (node) => dead(node, true)), whole);

        const { changes, blocked } = forecast({ spec, request: requestOf() }, start);

        expect(changes).toEqual([]);
        expect(blocked).toMatch(/recover|restore a backup/);
      }),
      runs,
    );
  });
});
