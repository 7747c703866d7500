import type { Change, ConvergeRequest } from "@pgherd/layers/domain";
import { CommandError } from "@pgherd/layers/ports";
import { known, readCluster, readNode } from "../create-cluster/records.ts";
import { requireLeader, runOn } from "../shards.ts";
import type { ChangeScope } from "./world.ts";

/** What PostgreSQL itself may refuse: then the spec goes back to the one before, and the cluster with it. */

type ChangeOf<K extends Change["kind"]> = Extract<Change, { kind: K }>;

/** Codes of the node program that mean: what was asked for cannot be. */
const refusals: readonly string[] = ["postgres-not-started", "extension-in-use", "program-failed"];

export async function restartMember(
  scope: ChangeScope,
  request: ConvergeRequest,
  change: ChangeOf<"restart-member">,
): Promise<string> {
  const { cluster, node } = await readNode(scope, change.nodeId);
  const { restartSeconds } = scope.deadlines;
  return orGoBack(scope, request, async () => {
    const { pauseMs } = await runOn(scope, node, "restart-member", scope.step, restartSeconds, {
      environment: scope.ports.settings.environment,
      clusterId: cluster.id,
      nodeId: node.id,
      shard: node.shard,
      onLeader: change.isLeader,
      withPatroni: change.withPatroni,
      deadlineSeconds: restartSeconds,
    });
    return pauseMs === null ? "" : `clients waited ${pauseMs} ms`;
  });
}

export async function applyDatabase(
  scope: ChangeScope,
  request: ConvergeRequest,
  { create, drop, update }: ChangeOf<"apply-database">,
): Promise<string> {
  const { spec } = await readCluster(scope);
  const leader = await requireLeader(scope, 0);
  const { restartSeconds } = scope.deadlines;
  return orGoBack(scope, request, async () => {
    await runOn(scope, leader, "change-extensions", scope.step, restartSeconds, {
      clusterId: scope.clusterId,
      nodeId: leader.id,
      database: spec.database,
      create: [...create],
      update: [...update],
      drop: [...drop],
    });
    return [...create, ...update, ...drop].join(", ");
  });
}

/**
 * The refusal is kept as the operation's result: the plan goes on with the spec before, and when the cluster is that
 * again, the operation fails with it.
 */
async function orGoBack(
  scope: ChangeScope,
  { previousSpec }: ConvergeRequest,
  act: () => Promise<string>,
): Promise<string> {
  try {
    return await act();
  } catch (error) {
    const isRefusal = error instanceof CommandError && refusals.includes(error.code);
    if (!isRefusal || previousSpec === null) throw error;
    const { clusterId, operationId } = scope;
    const refused = { code: error.code, message: error.message };
    await scope.ports.store.putOperationResult(operationId, { refused });
    await scope.ports.store.changeSpec(clusterId, operationId, previousSpec);
    return `refused, and goes back: ${error.message}`;
  }
}

/** PostgreSQL did not take what was asked for; the spec and the cluster are as they were before. */
export const changeRefused = "change-refused";

class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly code = changeRefused;
}

/** @throws {RefusedError} where something was refused on the way. */
export async function checkNothingRefused(scope: Pick<ChangeScope, "ports" | "operationId">): Promise<void> {
  const operation = known(
    await scope.ports.store.getOperation(scope.operationId),
    "operation",
    scope.operationId,
  );
  const refused = operation.result?.["refused"];
  if (typeof refused !== "object" || refused === null || !("message" in refused)) return;
  throw new RefusedError(`${String(refused.message)} The cluster is as it was before.`);
}
