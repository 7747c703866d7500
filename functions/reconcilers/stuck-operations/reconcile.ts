import { metricNames, type Operation, type OperationKind } from "@pgherd/layers/domain";
import type { ExecutionState, Executions, Store } from "@pgherd/layers/ports";
import { errorFields, type Log, type PublishMetrics, systemEntry } from "@pgherd/layers/runtime";

export interface ReconcilerWorld {
  readonly environment: string;
  readonly store: Store;
  readonly executions: Executions;
  readonly now: () => Date;
  readonly log: Log;
  readonly publish: PublishMetrics;
}

/** Younger operations are left alone: their call may just be about to start them, or their execution to end them. */
const ageMsMin = 30_000;
/** Longer than any execution may run: an operation that old and without a known execution has none. */
const executionAgeMsMax = 7 * 60 * 60 * 1000;
/**
 * An execution that was stopped leaves its last invocation at work on one act, which asks for what it makes within
 * seconds: whoever unwinds earlier could miss that.
 */
const quietMsMin = 60_000;
/**
 * An invocation ends after a quarter of an hour, and another one tries what it was at: after four of them without a
 * step begun or ended, the execution gets nowhere. A long clone is waited for in many short steps.
 */
const progressMsMax = 60 * 60 * 1000;
/** Executions that take a lost one's place. After as many the operation ends with what is known. */
const recoveriesMax = 5;

/** Looks at every operation that has not ended. One that cannot be judged now is judged next time. */
export async function reconcileStuckOperations(world: ReconcilerWorld): Promise<void> {
  for (const operation of await world.store.listOpenOperations(null)) {
    try {
      await reconcile(world, operation);
    } catch (error) {
      const { id: operationId, kind } = operation;
      world.log("error", "an operation could not be judged", { operationId, kind, ...errorFields(error) });
    }
  }
}

async function reconcile(world: ReconcilerWorld, operation: Operation): Promise<void> {
  const ageMs = world.now().getTime() - new Date(operation.createdAt).getTime();
  if (ageMs < ageMsMin) return;
  const { attempt, execution } = await lastExecution(world, operation);
  if (execution.state === "running") return stopStuck(world, operation, attempt, execution.startedAt);
  if (execution.state === "absent") return startAgain(world, operation, ageMs);
  if (world.now().getTime() - execution.endedAt.getTime() < quietMsMin) return;
  /** It may have ended its operation between our two reads. */
  if (await hasEnded(world, operation.id)) return;
  if (attempt >= recoveriesMax) return giveUp(world, operation, execution.outcome);
  await recover(world, operation, attempt + 1, execution.outcome);
}

/** What it was at is brought to an end by a recovery, once the stopped execution has become quiet. */
async function stopStuck(
  world: ReconcilerWorld,
  operation: Operation,
  attempt: number,
  startedAt: Date,
): Promise<void> {
  const { id: operationId, kind } = operation;
  const moments = operation.steps.flatMap((step) => [
    step.startedAt ?? "",
    step.endedAt ?? "",
    step.heardAt ?? "",
  ]);
  const times = moments.filter((moment) => moment !== "").map((moment) => Date.parse(moment));
  const idleMs = world.now().getTime() - Math.max(startedAt.getTime(), ...times);
  if (idleMs < progressMsMax) return;
  world.log("error", "an operation makes no progress and its execution is stopped", {
    operationId,
    kind,
    attempt,
    idleMs,
  });
  count(world, metricNames.operationsStuck, operation);
  await world.executions.stop(kind, operationId, attempt);
}

/** Executions of an operation follow each other: a recovery is started only when the one before has ended. */
async function lastExecution(
  world: ReconcilerWorld,
  operation: Operation,
): Promise<{ attempt: number; execution: ExecutionState }> {
  let attempt = 0;
  let execution = await world.executions.find(operation.kind, operation.id, 0);
  while (execution.state === "ended" && attempt < recoveriesMax) {
    const next = await world.executions.find(operation.kind, operation.id, attempt + 1);
    if (next.state === "absent") break;
    attempt += 1;
    execution = next;
  }
  return { attempt, execution };
}

/**
 * Named by the operation's id, so that a start which was only slow is not a second one. An operation that ran and
 * whose execution nobody knows any more is unwound instead of begun anew, once it cannot be running any longer.
 */
async function startAgain(world: ReconcilerWorld, operation: Operation, ageMs: number): Promise<void> {
  const { id: operationId, clusterId, kind } = operation;
  if (operation.state === "running") {
    if (ageMs > executionAgeMsMax) await recover(world, operation, 1, "forgotten");
    return;
  }
  world.log("warn", "an operation whose execution never started is started again", { operationId, kind });
  await world.executions.start(kind, { operationId, clusterId });
}

async function recover(
  world: ReconcilerWorld,
  operation: Operation,
  attempt: number,
  outcome: string,
): Promise<void> {
  const { id: operationId, clusterId, kind } = operation;
  const reason = `its execution ended (${outcome}) before the operation did`;
  world.log("warn", "an operation lost its execution and is brought to an end", {
    operationId,
    kind,
    attempt,
    outcome,
  });
  await world.executions.start(kind, { operationId, clusterId, recovery: { attempt, reason } });
}

async function hasEnded(world: ReconcilerWorld, operationId: string): Promise<boolean> {
  const operation = await world.store.getOperation(operationId);
  return operation === null || operation.endedAt !== null;
}

/** What is left of a cluster that never was, or was on its way out: only a delete can follow. */
const endsTheCluster: readonly OperationKind[] = [
  "create-cluster",
  "restore-cluster",
  "undelete-cluster",
  "delete-cluster",
];

/** Until the final backup is there, a delete has touched nothing. */
const isBeforeRemoval = ({ steps }: Operation): boolean =>
  steps.some(({ name, state }) => name === "final-backup" && state !== "succeeded");

const afterwards = (kind: OperationKind): string =>
  kind === "drill-backup"
    ? "What it has made is removed within minutes."
    : "What was done stays done; starting the same again goes on from there.";

/**
 * Nothing more is tried. A cluster that was there before is there still, and may be in the middle of a change: it is
 * degraded until somebody has looked at it, and calling for the same again goes on from what is.
 */
async function giveUp(world: ReconcilerWorld, operation: Operation, outcome: string): Promise<void> {
  const { id: operationId, clusterId, kind } = operation;
  const isOver = endsTheCluster.includes(kind) && !isBeforeRemoval(operation);
  const failed = `${recoveriesMax} executions that were to bring the operation to its end failed, the last one ${outcome}.`;
  const message = `${failed} ${isOver ? "Deleting the cluster removes what is left." : afterwards(kind)}`;
  const endedAt = world.now().toISOString();
  world.log("error", "an operation is given up", { operationId, kind, outcome });
  const entry = { clusterId, at: endedAt, action: `${kind}-failed`, operationId, detail: message };
  await world.store.putAuditEntry(systemEntry(entry));
  if (isOver) await world.store.releaseName(clusterId);
  await world.store.endOperation(operationId, {
    state: "failed",
    endedAt,
    error: { code: "execution-lost", message },
    cluster: { status: isOver ? "failed" : "degraded", statusReason: message },
  });
  count(world, metricNames.operationsFailed, operation);
}

function count(
  { environment, publish }: ReconcilerWorld,
  name: string,
  { clusterId, id: operationId, kind }: Operation,
): void {
  publish({ Environment: environment }, [{ name, unit: "Count", value: 1 }], {
    clusterId,
    operationId,
    kind,
  });
}
