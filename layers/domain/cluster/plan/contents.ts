import { nodeSize } from "../layout.ts";
import type { Plan } from "./change.ts";
import type { Situation } from "./situation.ts";

export function applySecurityRules({ observed }: Situation): Plan {
  return observed.securityRules === "stale" ? { change: { kind: "apply-security-rules" } } : null;
}

export function applyDynamicConfiguration({ observed }: Situation): Plan {
  return observed.dynamicConfiguration === "stale"
    ? { change: { kind: "apply-dynamic-configuration" } }
    : null;
}

export function applyDatabase({ spec, request, observed }: Situation): Plan {
  if (observed.database === null) return null;
  const present = observed.database.extensions;
  const isPresent = (name: string): boolean => present.some((one) => one.name === name);
  const create = spec.extensions.filter((name) => !isPresent(name));
  const update = present
    .filter(({ name, version, available }) => {
      return spec.extensions.includes(name) && available !== null && available !== version;
    })
    .map((one) => one.name);
  const drop = request.dropExtensions.filter((name) => isPresent(name) && !spec.extensions.includes(name));
  if (create.length + update.length + drop.length === 0) return null;
  return { change: { kind: "apply-database", create, update, drop } };
}

/** Volumes only ever grow. */
export function growVolumes({ spec, staying }: Situation): Plan {
  for (const node of staying) {
    const { volumeGiB } = nodeSize(spec, node.role);
    if (node.volume === null || node.wantsNewVolume) continue;
    if (node.volume.sizeGiB >= volumeGiB && node.volume.isFilled) continue;
    const sizeGiB = Math.max(volumeGiB, node.volume.sizeGiB);
    return { change: { kind: "grow-volume", nodeId: node.id, sizeGiB } };
  }
  return null;
}

/** What a node gave up goes once its new place has everything. */
export function discardLeftovers({ staying }: Situation): Plan {
  const node = staying.find(
    ({ leftovers }) => leftovers.volumeIds.length + leftovers.networkInterfaceIds.length > 0,
  );
  return node === undefined ? null : { change: { kind: "discard-leftovers", nodeId: node.id } };
}
