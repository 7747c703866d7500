import { expect } from "vitest";
import {
  type Change,
  type ClusterSpec,
  type ConvergeRequest,
  forecast,
  type ObservedCluster,
} from "../../../../layers/domain/index.ts";
import { nodeId, requestOf } from "./clusters.ts";

export const [first, second, third, fourth, fifth] = [0, 1, 2, 3, 4].map(nodeId);

export function changesOf(spec: ClusterSpec, start: ObservedCluster, request: ConvergeRequest = requestOf()) {
  const { changes, blocked } = forecast({ spec, request }, start);
  expect(blocked).toBeNull();
  return changes;
}

export function blockedOf(spec: ClusterSpec, start: ObservedCluster, request: ConvergeRequest = requestOf()) {
  return forecast({ spec, request }, start).blocked;
}

/** `kind node`, for reading a plan at a glance. */
export function brief(changes: readonly Change[]): string[] {
  const names = new Map([first, second, third, fourth, fifth].map((id, index) => [id, `n${index + 1}`]));
  return changes.map((change) => {
    const id = "nodeId" in change ? (change.nodeId ?? "") : "";
    return id === "" ? change.kind : `${change.kind} ${names.get(id) ?? "new"}`;
  });
}

export const replaceOf = (
  cluster: ObservedCluster,
  id: string | undefined,
  zone: string | null,
  fresh: boolean,
) => {
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
