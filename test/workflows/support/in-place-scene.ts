import type { Operation, RestoreSource } from "../../../layers/domain/index.ts";
import type { NodeVerb } from "../../../layers/domain/node/index.ts";
import { CommandError } from "../../../layers/ports/index.ts";
import { openCloud } from "../../world/cloud.ts";
import type { DynamoDB } from "../../world/dynamodb.ts";
import { lastBackup, type MadeCluster, makeCluster, sourceOf } from "../../world/made-cluster.ts";
import { restoredContent } from "../../world/paper-in-place.ts";

const target = { lsn: "0/900000" } as const;
export const restored = restoredContent(target);

export interface Scene extends MadeCluster {
  /** Verb → how often it fails from now on, and which of its calls are meant. */
  readonly failures: Map<NodeVerb, { times: number; skip: number }>;
  writeRestore(change?: Partial<RestoreSource>): Promise<Operation>;
  restore(change?: Partial<RestoreSource>): Promise<Operation>;
  rollback(restore: Operation): Promise<Operation>;
  confirm(restore: Operation): Promise<Operation>;
  /** What an operator finds: data, what is kept beside it, who waits. */
  seen(): Promise<object>;
}

/** A cluster with a backup, to be restored where it is. */
export async function openScene(dynamodb: DynamoDB, members = 3): Promise<Scene> {
  const failures: Scene["failures"] = new Map();
  const made = await makeCluster(await openCloud(dynamodb), { members }, (verb, { instanceId }) => {
    const failure = failures.get(verb);
    if (failure !== undefined && failure.skip > 0) failure.skip -= 1;
    else if (failure !== undefined && failure.times > 0) {
      failure.times -= 1;
      throw new CommandError("broken", instanceId, `${verb} is broken`);
    }
  });
  const { cloud, clusterId, plane } = made;
  await plane.carryOut(await plane.writeBackup(clusterId));
  const source = sourceOf(await lastBackup(cloud, clusterId), target);
  const write = (kind: Operation["kind"], request: NonNullable<Operation["request"]>) =>
    plane.write(kind, clusterId, { status: "restoring", request });
  const writeRestore: Scene["writeRestore"] = (change = {}) =>
    write("restore-in-place", { ...source, ...change });
  return {
    ...made,
    failures,
    writeRestore,
    restore: async (change) => plane.carryOut(await writeRestore(change)),
    rollback: async ({ id: operationId }) => plane.carryOut(await write("rollback-restore", { operationId })),
    confirm: async ({ id: operationId }) => plane.carryOut(await write("confirm-restore", { operationId })),
    seen: async () => {
      const { machines } = cloud;
      const { paused, stopped } = await machines.maintenance.database(clusterId);
      const { timelines: _own, ...data } = machines.inPlace.seen(clusterId);
      const faults = [...machines.inPlace.faults, ...machines.backups.faults];
      return { ...data, paused, stopped: stopped.size, faults };
    },
  };
}

/** Everybody has this data and is at work; `kept` of each node lies beside it. */
export const inService = (content: string, kept = 0, members = 3) => ({
  contents: Array.from({ length: members }, () => content),
  kept: Array.from({ length: members }, () => kept),
  held: 0,
  closed: 0,
  paused: false,
  stopped: 0,
  faults: [],
});
