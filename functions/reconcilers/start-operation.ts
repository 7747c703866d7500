import { type Cluster, type Operation, type OperationKind, Problem } from "@pgherd/layers/domain";
import type { Executions, Store } from "@pgherd/layers/ports";
import { errorFields, type Log, newId } from "@pgherd/layers/runtime";

export interface StartingWorld {
  readonly store: Pick<Store, "startOperation">;
  readonly executions: Pick<Executions, "start">;
  readonly now: () => Date;
  readonly log: Log;
}

/** What pgherd is called where it acts by itself. */
const principal = "pgherd";

/**
 * Starts an operation as a call would. False where the cluster is held by another one, has changed or is gone: the next
 * look decides anew.
 */
export async function startBySystem(
  world: StartingWorld,
  cluster: Cluster,
  what: { kind: OperationKind; detail: string; request?: NonNullable<Operation["request"]> },
): Promise<boolean> {
  const { kind, detail, request } = what;
  const at = world.now().toISOString();
  const operation: Operation = {
    id: newId("operation"),
    clusterId: cluster.id,
    kind,
    state: "pending",
    progress: 0,
    steps: [],
    ...(request === undefined ? {} : { request }),
    cancelRequested: false,
    startedBy: principal,
    createdAt: at,
    endedAt: null,
  };
  const audit = {
    id: newId("audit"),
    clusterId: cluster.id,
    at,
    action: kind,
    principal,
    role: "system",
    sourceAddress: "",
    requestId: "",
    operationId: operation.id,
    detail,
  };
  try {
    await world.store.startOperation(
      { operation, audit, idempotency: null },
      {
        status: cluster.status,
        statusReason: `Operation ${operation.id} (${kind}) is at work.`,
        expectedGeneration: cluster.generation,
      },
    );
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
  try {
    await world.executions.start(kind, { operationId: operation.id, clusterId: cluster.id });
  } catch (error) {
    // The operation is written: stuck-operations starts what was lost.
    world.log("error", "the execution could not be started", {
      operationId: operation.id,
      kind,
      ...errorFields(error),
    });
  }
  return true;
}
