import type { Drift } from "../cluster.ts";
import { nodeRole, nodeSize } from "../layout.ts";
import type { ObservedHealth } from "./observed.ts";

/** As the node program names what Patroni keeps in the DCS. */
const patroniPrefix = "patroni:/config/";

/** What is not as the intent says. Repaired by a converge, which is for an operator to ask for. */
export function driftOf({ cluster, inspections, instances }: ObservedHealth): Drift[] {
  const settings = new Set<string>();
  const drift: Drift[] = [];
  for (const node of cluster.nodes) {
    const running = instances?.get(node.id);
    const { instanceType } = nodeSize(cluster.spec, nodeRole(node));
    if (running !== undefined && running.instanceType !== instanceType) {
      const detail = `${running.instanceId} is a ${running.instanceType}, and the spec asks for a ${instanceType}.`;
      drift.push({ nodeId: node.id, what: "instance", detail });
    }
    if (running !== undefined && node.instanceId !== null && running.instanceId !== node.instanceId) {
      const detail = `${running.instanceId} fills the node's place, and ${node.instanceId} is on record.`;
      drift.push({ nodeId: node.id, what: "instance", detail });
    }
    for (const { path } of inspections.get(node.id)?.drift ?? []) {
      if (path.startsWith(patroniPrefix)) settings.add(path.slice(patroniPrefix.length));
      else
        drift.push({
          nodeId: node.id,
          what: "file",
          path,
          detail: "The file is not as it was written by the last configuration.",
        });
    }
  }
  // The same for all members: it is told once.
  const patroni = [...settings].toSorted().map((path): Drift => {
    return { nodeId: null, what: "patroni", path, detail: "Patroni keeps another value in the DCS." };
  });
  return [...drift, ...patroni];
}
