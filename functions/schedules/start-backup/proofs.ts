import {
  backupStatuses,
  backupToProve,
  type Cluster,
  type Operation,
  Problem,
  type ProofKind,
  pendingOperation,
  planDrill,
} from "@pgherd/layers/domain";
import { type Executions, IdempotencyConflict, type OperationStart, type Store } from "@pgherd/layers/ports";
import { beginExecution, errorFields, type Log, newId } from "@pgherd/layers/runtime";
import { principalOf, startOf } from "./start.ts";

export interface ProofStartWorld {
  readonly store: Pick<Store, "getCluster" | "allBackups" | "startBackupOperation" | "createCluster">;
  readonly executions: Pick<Executions, "start">;
  /** Where a drill can have its machine. */
  readonly zones: readonly string[];
  readonly now: () => Date;
  readonly log: Log;
}

export interface WantedProof {
  readonly kind: ProofKind;
  /** When it was due. */
  readonly at: string;
}

/**
 * Proves a cluster's backups as a call does, once for each (schedule, time that it was due). Where it cannot begin now
 * it is left to the reconciler, which begins what was missed. @returns whether it has begun
 */
export async function startScheduledProof(
  world: ProofStartWorld,
  clusterId: string,
  wanted: WantedProof,
): Promise<boolean> {
  const { log, store } = world;
  const fields = { clusterId, kind: wanted.kind, scheduledAt: wanted.at };
  const cluster = await store.getCluster(clusterId);
  if (cluster === null || (cluster.schedules?.[wanted.kind] ?? null) === null) {
    log("info", "a schedule has fired that is no more", fields);
    return false;
  }
  if (!backupStatuses.includes(cluster.status)) {
    log("info", "a scheduled proof has to wait", { ...fields, status: cluster.status });
    return false;
  }
  try {
    const operation =
      wanted.kind === "drill"
        ? await writeDrill(world, cluster, wanted)
        : await writeVerification(world, cluster, wanted);
    if (operation === null) {
      log("info", "there is no backup yet that could be proven", fields);
      return false;
    }
    await beginExecution(world, operation);
    return true;
  } catch (error) {
    if (!(error instanceof Problem || error instanceof IdempotencyConflict)) throw error;
    log("info", "a scheduled proof does not begin now", { ...fields, ...errorFields(error) });
    return false;
  }
}

/** Of the newest backup. Null: there is none. */
async function writeDrill(
  { now, store, zones }: ProofStartWorld,
  source: Cluster,
  wanted: WantedProof,
): Promise<Operation | null> {
  const backups = await store.allBackups(source.id);
  const backup = backupToProve(backups);
  if (backup === null) return null;
  const tables = source.spec.backup.drill?.tables ?? [];
  const asked = { tables, zones, startedBy: principalOf(source.id, wanted.kind), at: now().toISOString() };
  const ids = { operationId: newId("operation"), clusterId: newId("cluster"), nodeId: newId("node") };
  const { cluster, operation, summary } = planDrill({ backup, backups, source }, asked, ids);
  await store.createCluster(cluster, proofStartOf(operation, wanted, summary));
  return operation;
}

async function writeVerification(
  { now, store }: ProofStartWorld,
  { id: clusterId, name }: Cluster,
  wanted: WantedProof,
): Promise<Operation> {
  const operation = pendingOperation({
    id: newId("operation"),
    clusterId,
    kind: "verify-backups",
    request: {},
    startedBy: principalOf(clusterId, wanted.kind),
    createdAt: now().toISOString(),
  });
  const summary = `Read everything that is stored of cluster "${name}".`;
  await store.startBackupOperation(proofStartOf(operation, wanted, summary), null);
  return operation;
}

const proofStartOf = (operation: Operation, wanted: WantedProof, summary: string): OperationStart =>
  startOf(operation, { ...wanted, attempt: 0 }, `${summary} The schedule says so for ${wanted.at}.`);
