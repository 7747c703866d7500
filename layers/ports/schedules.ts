import type { Timers } from "../domain/backup/schedule.ts";

/** When clusters' backups are taken and proven by themselves. */
export interface BackupSchedules {
  /** Whether the cluster has exactly these. */
  isCurrent(clusterId: string, wanted: Timers): Promise<boolean>;
  /** Makes them exactly these: what is missing is made, what differs is changed, and the others go. */
  apply(clusterId: string, wanted: Timers): Promise<void>;
  /** None left; already gone is success. */
  remove(clusterId: string): Promise<void>;
}
