import {
  type Cluster,
  type ClusterStatus,
  type Operation,
  type OperationKind,
  Problem,
  pendingOperation,
} from "@pgherd/layers/domain";
import type { Executions, Store } from "@pgherd/layers/ports";
import { beginExecution, type Log, newId, systemEntry, systemPrincipal } from "@pgherd/layers/runtime";

export interface StartingWorld {
  readonly store: Pick<Store, "startOperation">;
  readonly executions: Pick<Executions, "start">;
  readonly now: () => Date;
  readonly log: Log;
}

/**
 * Starts an operation as a call would. False where the cluster is held by another one, has changed or is gone: the next
 * look decides anew.
 */
export async function startBySystem(
  world: StartingWorld,
  cluster: Cluster,
  what: {
    readonly kind: OperationKind;
    /** A sentence: what is done and why. */
    readonly detail: string;
    /** While the operation runs, with the detail for its reason; else the cluster stays what it is. */
    readonly status?: ClusterStatus;
    readonly request?: NonNullable<Operation["request"]>;
  },
): Promise<boolean> {
  const { kind, detail, request } = what;
  const at = world.now().toISOString();
  const operation = pendingOperation({
    id: newId("operation"),
    clusterId: cluster.id,
    kind,
    ...(request === undefined ? {} : { request }),
    startedBy: systemPrincipal,
    createdAt: at,
  });
  const { clusterId, id: operationId } = operation;
  const audit = systemEntry({ clusterId, at, action: kind, operationId, detail });
  try {
    await world.store.startOperation(
      { operation, audit, idempotency: null },
      {
        status: what.status ?? cluster.status,
        statusReason: what.status === undefined ? `Operation ${operationId} (${kind}) is at work.` : detail,
        expectedGeneration: cluster.generation,
      },
    );
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
  await beginExecution(world, operation);
  return true;
}
