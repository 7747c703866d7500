import type { Operation, OperationKind } from "./operation.ts";

/** What a cancel comes to. docs/operating.md has it as a table. */
export interface Cancellation {
  /** Until when it has an effect; null: never, and it is refused. */
  readonly heeded: string | null;
  /** What it leaves behind; where it is refused, why. */
  readonly leaves: string;
}

/** Whether a cancel could have an effect still. A delete can only give up its final backup. */
export function isCancellable({
  kind,
  request,
  steps,
}: Pick<Operation, "kind" | "request" | "steps">): boolean {
  if (kind !== "delete-cluster") return cancellations[kind].heeded !== null;
  const isTaken = steps.some(({ name, state }) => name === "final-backup" && state === "succeeded");
  return (request?.["finalBackup"] ?? null) !== null && !isTaken;
}

const goesOn = "the same call again goes on from there";

export const cancellations: Readonly<Record<OperationKind, Cancellation>> = {
  "create-cluster": {
    heeded: "Before each step, up to the end.",
    leaves: "Nothing but the record of the cluster, which is failed; its name is free.",
  },
  "delete-cluster": {
    heeded: "Until the final backup is taken, within seconds.",
    leaves:
      "The cluster as it was. What is being removed does not come back, so from then on it goes on to its end.",
  },
  "converge-cluster": {
    heeded: "Between two changes.",
    leaves: "What is changed stays changed, and the spec stays as it was asked for; the next PATCH goes on.",
  },
  "switchover-cluster": {
    heeded: "Until the nodes are told.",
    leaves: "The leader that there was. Once they are told, it ends as if nobody had cancelled.",
  },
  "failover-cluster": {
    heeded: "Until the nodes are told.",
    leaves: "Whoever led. Once they are told, it ends as if nobody had cancelled.",
  },
  "restart-cluster": {
    heeded: "Between two members.",
    leaves: "Members that were restarted stay so; the others were left alone.",
  },
  "reinitialize-node": {
    heeded: "Before the data goes, and every few minutes while the clone is waited for.",
    leaves: "Once the data is gone: a member that goes on cloning by itself, with nobody waiting for it.",
  },
  "pause-cluster": {
    heeded: "Until Patroni is told.",
    leaves: "A cluster that is not paused. Once Patroni is told, it is.",
  },
  "resume-cluster": {
    heeded: "Until Patroni is told.",
    leaves: "A cluster that is still paused. Once Patroni is told, it is not.",
  },
  "stop-cluster": {
    heeded: "Before clients, replicas, leaders and instances are stopped.",
    leaves: "What is stopped stays stopped: start brings it back, stop goes on.",
  },
  "start-cluster": {
    heeded: "Before each step.",
    leaves: `What runs goes on running; ${goesOn}.`,
  },
  "rotate-credentials": {
    heeded: "Until PostgreSQL is told.",
    leaves: "The passwords that there were. Once PostgreSQL is told, all the rest follows.",
  },
  "rotate-certificates": {
    heeded: "Before the first node.",
    leaves: "The certificates that there were. Once one node has a new one, all get theirs.",
  },
  "recover-cluster": {
    heeded: "Between two changes.",
    leaves: `Nodes that were set aside stand still; ${goesOn}, and a PATCH once etcd has a majority.`,
  },
  "restore-cluster": {
    heeded: "Before each step, up to the end.",
    leaves:
      "Nothing but the record of the new cluster, which is failed; the cluster that it comes from is untouched.",
  },
  "restore-in-place": {
    heeded: "Before each step, and while data is restored, up to when the restored data is in service.",
    leaves: "The data that there was: it is put back, and clients go on with it.",
  },
  "rollback-restore": {
    heeded: "Before each step, up to when the data of before is in service.",
    leaves: "The restored data, and what it can be exchanged for.",
  },
  "confirm-restore": {
    heeded: null,
    leaves: "What has been dropped does not come back, so it goes on to its end.",
  },
  "backup-cluster": {
    heeded: "While it is copied, within seconds.",
    leaves: "No backup; what was copied is removed from the repository with the next one.",
  },
  "delete-backup": {
    heeded: null,
    leaves: "What has been removed does not come back, so it goes on to its end.",
  },
  "create-restore-point": {
    heeded: "Until PostgreSQL is told.",
    leaves: "No restore point, and its name is free. Once PostgreSQL is told, it is made.",
  },
  "undelete-cluster": {
    heeded: "Before each step, up to the end.",
    leaves:
      "The record of the cluster, which is failed; its backups are kept. Once that is deleted, the same call begins anew.",
  },
  "load-database": {
    heeded: "While it is loaded, within seconds.",
    leaves: "The database as it was before: empty, or not there.",
  },
  "drill-backup": {
    heeded: "Before each step, and while the data is checked.",
    leaves: "Nothing: the cluster that was made for it is removed. What the last drill said still stands.",
  },
  "verify-backups": {
    heeded: "While it is read, within seconds.",
    leaves: "What the last one said. Nothing was changed.",
  },
};
