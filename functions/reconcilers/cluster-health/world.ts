import type { Compute, NodeCommandPort, Store } from "@pgherd/layers/ports";
import type { Log, PublishMetrics } from "@pgherd/layers/runtime";

/** What the watch works with; cluster-health.ts wires it to AWS. */
export interface HealthWorld {
  readonly environment: string;
  readonly store: Pick<
    Store,
    "getCluster" | "listClusters" | "readHealth" | "updateHealth" | "putMetrics" | "allBackups"
  >;
  readonly commands: Pick<NodeCommandPort, "run">;
  readonly compute: Pick<Compute, "listInstances">;
  readonly now: () => Date;
  readonly log: Log;
  readonly publish: PublishMetrics;
}
