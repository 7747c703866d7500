import {
  type Backup,
  type Cluster,
  type ClusterSpec,
  checkLimits,
  checkRoom,
  checkSpec,
  createClusterBodySchema,
  type FieldError,
  layoutNodes,
  nodeTotal,
  Problem,
  patchSpec,
} from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import type { z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { refuseFrequentSchedules } from "../schedules.ts";
import type { Source } from "./source.ts";

export const newClusterSchema = createClusterBodySchema.omit({ postgresVersion: true, database: true }).meta({
  description: "The spec of the new cluster: what is left out is as in the one that it comes from.",
});

export const newClusterPath = "/into/newCluster";

/** The source's spec with what the new cluster is to have otherwise. */
export function newClusterOf(
  { settings }: ApiContext,
  { spec: before }: Source,
  newCluster: z.infer<typeof newClusterSchema>,
  backup: Backup,
): { spec: ClusterSpec; nodes: Cluster["nodes"]; warnings: readonly string[] } {
  const { name, ...overrides } = newCluster;
  const patched = patchSpec(before, overrides, {
    instanceType: settings.defaultInstanceType,
    deletionProtection: settings.defaultDeletionProtection,
  });
  if (!patched.ok) throw notPossible(patched.errors);
  const spec = { ...patched.spec, name };
  const { errors: wrong, warnings } = checkSpec(spec);
  const errors = [...wrong, ...checkLimits(spec, settings.limits, before)];
  if (errors.length > 0) throw notPossible(errors);
  refuseFrequentSchedules(spec, newClusterPath);
  const room = checkRoom(spec, before, backup);
  const volume = room.filter(({ path }) => path === "/storage/sizeGiB");
  if (volume.length > 0) {
    throw new Problem("volume-too-small", `The new cluster's storage.sizeGiB ${volume[0]?.message}.`, {
      errors: below(volume),
    });
  }
  if (room.length > 0) throw notPossible(room);
  const zones = Object.keys(settings.subnets).toSorted();
  const nodeIds = Array.from({ length: nodeTotal(spec) }, () => newId("node"));
  return { spec, nodes: layoutNodes(spec, zones, nodeIds), warnings };
}

const below = (errors: readonly FieldError[]): FieldError[] =>
  errors.map(({ message, path }) => ({ path: `${newClusterPath}${path}`, message }));

const notPossible = (errors: readonly FieldError[]): Problem =>
  new Problem("invalid-request", "The new cluster cannot be made; errors says where and why.", {
    errors: below(errors),
  });
