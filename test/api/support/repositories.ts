import type { ArchivedSegment, BackupStore, TimelineStart } from "@pgherd/layers/domain";
import type { Repositories, StoreError } from "@pgherd/layers/ports";

const minute = (number: number): string => new Date(Date.UTC(2026, 0, 1, 0, number)).toISOString();

/** One repository for all clusters, with the WAL of timeline 1 that a test says. */
export class FakeRepositories implements Pick<Repositories, "timelines" | "wal" | "probe"> {
  starts: readonly TimelineStart[] = [];
  segments: readonly ArchivedSegment[] = [];
  /** Stores of others that were tried, and those that were read. */
  readonly probed: BackupStore[] = [];
  readonly read: (BackupStore | null)[] = [];
  /** What a store of somebody else's has. */
  fault: StoreError | null = null;

  /** The segments of these numbers, each in the archive in its minute. */
  keep(...numbers: readonly number[]): void {
    this.segments = numbers.map((number) => ({
      name: `0000000100000000${number.toString(16).toUpperCase().padStart(8, "0")}`,
      at: minute(number),
    }));
  }

  timelines: Repositories["timelines"] = async ({ store }) => {
    this.#touch(store);
    return this.starts;
  };

  wal: Repositories["wal"] = async ({ store }, from) => {
    this.#touch(store);
    return { segments: this.segments.filter(({ name }) => name >= from), isCut: false };
  };

  probe: Repositories["probe"] = async (store) => {
    this.probed.push(store);
    if (this.fault !== null) throw this.fault;
  };

  #touch(store: BackupStore | null): void {
    this.read.push(store);
    if (store !== null && this.fault !== null) throw this.fault;
  }
}
