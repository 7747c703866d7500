import { type Cluster, type deleteRequestSchema, endedStates, type Operation } from "@pgherd/layers/domain";
import type { Store } from "@pgherd/layers/ports";
import type { z } from "zod";
import { lastTry } from "../last-try.ts";
import { type StartingWorld, startBySystem } from "../start-operation.ts";

export interface LeftDrillsWorld extends StartingWorld {
  readonly store: Pick<
    Store,
    "getCluster" | "startOperation" | "getOperation" | "listOperations" | "abandonCluster" | "recordProof"
  >;
}

/** What made a delete fail is rarely over sooner. */
const pauseAfterFailureMs = 10 * 60 * 1000;

/**
 * A drill removes its cluster itself. What is left of one that has ended, because something could not be removed or
 * nobody came to it, is deleted here.
 */
export async function removeLeftDrill(
  world: LeftDrillsWorld,
  cluster: Cluster,
  { operationId }: NonNullable<Cluster["drillOf"]>,
): Promise<void> {
  const drill = await world.store.getOperation(operationId);
  if (drill !== null && !endedStates.includes(drill.state)) return;
  if (drill !== null) await tellLost(world, drill, cluster);
  const why = `Drill ${operationId} has ended and left something behind.`;
  await world.store.abandonCluster(cluster.id, operationId, why);
  const present = await world.store.getCluster(cluster.id);
  if (present === null || present.activeOperationId !== null) return;
  const last = await lastTry(world, present, "delete-cluster");
  if (last !== null && last.ageMs < pauseAfterFailureMs) return;
  const { status, statusReason } = present;
  const request: z.infer<typeof deleteRequestSchema> = {
    finalBackup: null,
    before: { status, statusReason },
  };
  await startBySystem(world, present, {
    kind: "delete-cluster",
    status: "deleting",
    request,
    detail: `${why} It is removed.`,
  });
}

/** One that was given up has told nobody what came of it. */
async function tellLost(
  { store }: LeftDrillsWorld,
  { createdAt: at, error, id: operationId, state }: Operation,
  { drillOf }: Cluster,
): Promise<void> {
  if (state !== "failed" || drillOf === null) return;
  const { backupId, clusterId } = drillOf;
  const known = (await store.getCluster(clusterId))?.lastDrill ?? null;
  if (known !== null && known.at >= at) return;
  const message = error?.message ?? "It was given up.";
  await store.recordProof(clusterId, {
    lastDrill: { at, ok: false, operationId, backupId, restoreSeconds: null, message },
  });
}
