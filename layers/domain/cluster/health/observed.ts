import type { Backup } from "../../backup/backup.ts";
import type { Inspection, Survey } from "../../node/inspect-verbs.ts";
import type { Cluster } from "../cluster.ts";
import type { Pause } from "../pause.ts";

export type InstanceLife = "pending" | "running" | "shutting-down" | "terminated" | "stopping" | "stopped";

export interface SeenInspection extends Inspection {
  /** How far the node's clock is off, at least: the time of asking and answering is taken off. */
  readonly clockSkewMs: number;
  /** Of the certificate, when the node was looked at; negative once it has expired. */
  readonly certificateSecondsLeft: number;
}

export interface SeenInstance {
  readonly instanceId: string;
  readonly instanceType: string;
  readonly life: InstanceLife;
}

/** What is known of a cluster at one moment. It is data only, so that it can be made up in a test. */
export interface ObservedHealth {
  readonly cluster: Pick<Cluster, "id" | "nodes" | "spec" | "schedules" | "lastDrill" | "lastVerification">;
  /** ISO 8601 */
  readonly now: string;
  /** How the cluster looks from one of its nodes; null where none answers. */
  readonly survey: (Pick<Survey, "observation" | "neighbours"> & { readonly by: string }) | null;
  /** The newest of each node. */
  readonly inspections: ReadonlyMap<string, SeenInspection>;
  /** What EC2 says of each node's instance; a node without one is not there. Null where EC2 was not asked. */
  readonly instances: ReadonlyMap<string, SeenInstance> | null;
  /** All that are on record; null where nobody has looked yet. */
  readonly backups: readonly Backup[] | null;
  /** Patroni's maintenance mode. */
  readonly paused: Pause | null;
}
