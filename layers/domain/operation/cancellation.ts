import type { OperationKind } from "./operation.ts";

/** What a cancel comes to. docs/operating.md has it as a table. */
export interface Cancellation {
  /** Until when it has an effect; null: never, and it is refused. */
  readonly heeded: string | null;
  /** What it leaves behind; where it is refused, why. */
  readonly leaves: string;
}

const goesOn = "the same call again goes on from there";

export const cancellations: Readonly<Record<OperationKind, Cancellation>> = {
  "create-cluster": {
    heeded: "Before each step, up to the end.",
    leaves: "Nothing but the record of the cluster, which is failed; its name is free.",
  },
  "delete-cluster": {
    heeded: null,
    leaves: "What has been removed does not come back, so it goes on to its end.",
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
};
