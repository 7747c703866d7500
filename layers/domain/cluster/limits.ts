import { z } from "zod";
import type { FieldError } from "../problems.ts";
import { findInstanceType } from "./instance-types.ts";
import { nodeTotal } from "./layout.ts";
import type { ClusterSpec } from "./spec.ts";

/** The most that an environment gives one cluster: what keeps a slip of the finger from becoming a bill. */
export const clusterLimitsSchema = z.strictObject({
  /** Of each node's machine. */
  vcpus: z.int().min(1).optional(),
  /** Of each node's volume. */
  storageGiB: z.int().min(1).optional(),
  /** Nodes, dedicated ones too. */
  nodes: z.int().min(1).optional(),
});
export type ClusterLimits = z.infer<typeof clusterLimitsSchema>;

/**
 * What is above the environment's limits.
 * @param before what a cluster has already is its own: a limit that came later takes nothing away
 */
export function checkLimits(
  spec: ClusterSpec,
  limits: ClusterLimits = {},
  before?: ClusterSpec,
): FieldError[] {
  const known = before === undefined ? [] : checkLimits(before, limits);
  const errors = [...checkMachines(spec, limits), ...checkSize(spec, limits)];
  return errors.filter(
    ({ message, path }) => !known.some((one) => one.path === path && one.message === message),
  );
}

function checkMachines({ dcs, instanceType, proxy }: ClusterSpec, { vcpus }: ClusterLimits): FieldError[] {
  const types = [
    { path: "/instanceType", name: instanceType },
    { path: "/dcs/instanceType", name: dcs.instanceType },
    { path: "/proxy/instanceType", name: proxy.instanceType },
  ];
  return types.flatMap(({ name, path }) => {
    const has = name === undefined ? 0 : (findInstanceType(name)?.vcpus ?? 0);
    if (vcpus === undefined || has <= vcpus) return [];
    return [
      { path, message: `${name} has ${has} vCPUs, and this environment gives a node ${vcpus} at most` },
    ];
  });
}

function checkSize(spec: ClusterSpec, { nodes, storageGiB }: ClusterLimits): FieldError[] {
  const errors: FieldError[] = [];
  const { sizeGiB } = spec.storage;
  if (storageGiB !== undefined && sizeGiB > storageGiB) {
    const message = `must be at most ${storageGiB} in this environment, not ${sizeGiB}`;
    errors.push({ path: "/storage/sizeGiB", message });
  }
  const total = nodeTotal(spec);
  if (nodes !== undefined && total > nodes) {
    const message = `the cluster would have ${total} nodes, and this environment gives one ${nodes} at most`;
    errors.push({ path: "/members", message });
  }
  return errors;
}
