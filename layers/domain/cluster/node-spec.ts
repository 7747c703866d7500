import { accessDefault, backupDefault, type ClusterSpec } from "./spec.ts";

/**
 * The spec as a node is told it: with the size of the machine that it runs on now, so that PostgreSQL is never set up
 * for memory that is yet to come, and without what concerns no node, so that changing that changes no configuration.
 */
export function nodeSpec(spec: ClusterSpec, instanceType: string): ClusterSpec {
  const forNobody = {
    access: accessDefault,
    backup: backupDefault,
    deletionProtection: false,
    selfHealing: true,
    tags: {},
  };
  return { ...spec, instanceType, ...forNobody };
}
