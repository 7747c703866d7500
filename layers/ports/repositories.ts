import type { ArchivedWal } from "../domain/backup/archive.ts";
import type { BackupStore } from "../domain/backup/store.ts";
import type { TimelineStart } from "../domain/backup/timeline.ts";

/** Everything that a cluster has in a bucket. */
export interface ClusterPlace {
  readonly clusterId: string;
  /** Null: the environment's bucket. */
  readonly store: BackupStore | null;
}

/** One shard's part of it. */
export interface RepositoryPlace extends ClusterPlace {
  readonly shard: number;
}

/**
 * The repositories of clusters as their buckets have them, whether there is a cluster still or not: names and times
 * alone. What is in the objects only nodes can read. A store of somebody else's may refuse: {@link StoreError}.
 */
export interface Repositories {
  /** When timelines came into the archive; the first one leaves no trace of its beginning. */
  timelines(place: RepositoryPlace): Promise<readonly TimelineStart[]>;
  /** WAL segments from that one on, in the order of their names. */
  wal(place: RepositoryPlace, from: string): Promise<ArchivedWal>;
  /**
   * Removes what there is below the cluster's own path, and nothing else; none is success.
   * @param forMs then it stops, with `isDone` false where something is left
   */
  removeAll(
    place: ClusterPlace,
    forMs: number,
  ): Promise<{ readonly removed: number; readonly isDone: boolean }>;
  /** Writes, reads, finds and deletes an object of no cluster. @throws {StoreError} what is wrong with the store */
  probe(store: BackupStore): Promise<void>;
}
