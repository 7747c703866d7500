import type { NodeService } from "../cluster.ts";
import type { ObservedCluster, ObservedNode } from "./observed.ts";

export function withNode(
  state: ObservedCluster,
  nodeId: string,
  change: (node: ObservedNode) => ObservedNode,
): ObservedCluster {
  return { ...state, nodes: state.nodes.map((node) => (node.record.id === nodeId ? change(node) : node)) };
}

export function withServices(
  state: ObservedCluster,
  nodeId: string,
  services: readonly NodeService[],
): ObservedCluster {
  return withNode(state, nodeId, (node) => ({
    ...node,
    record: { ...node.record, services: [...services] },
  }));
}

/** What every node is told has changed. */
export function outdated(state: ObservedCluster): ObservedCluster {
  return {
    ...state,
    nodes: state.nodes.map((node) => ({ ...node, configuration: node.configuration && "stale" })),
  };
}

const idDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** An id that sorts behind: the last digit that is not the highest goes up by one. */
export function nextId(id: string): string {
  const digits = [...id];
  for (let index = digits.length - 1; index >= 0; index--) {
    const value = idDigits.indexOf(digits[index] ?? "");
    if (value < idDigits.length - 1) {
      digits[index] = idDigits[value + 1] ?? "";
      return digits.join("");
    }
    digits[index] = "0";
  }
  return digits.join("");
}

export function runs(state: ObservedCluster, nodeId: string | null): boolean {
  return state.nodes.some((node) => node.record.id === nodeId && node.instance?.state === "running");
}
