import { findParameter } from "./parameters.ts";
import { bytesOf } from "./quantity.ts";

/**
 * About what PostgreSQL takes at its start, after "Shared memory and semaphores" of its documentation and ipci.c.
 * It is there to refuse values with which a machine of this size would not start, not to be exact.
 */

const lockBytes = 270;
const predicateLockBytes = 120;
const connectionBytes = 20_000;
const workerBytes = 1000;

export type Numbers = Readonly<Record<string, number>>;

const defaults: Numbers = {
  max_connections: 100,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 64,
  max_pred_locks_per_transaction: 64,
  max_worker_processes: 8,
  max_wal_senders: 10,
};

/** Parameters whose value is memory that is taken at once, in their own unit. */
const buffers = [
  "shared_buffers",
  "wal_buffers",
  "min_dynamic_shared_memory",
  "commit_timestamp_buffers",
  "multixact_member_buffers",
  "multixact_offset_buffers",
  "notify_buffers",
  "serializable_buffers",
  "subtransaction_buffers",
  "transaction_buffers",
] as const;

/** `numbers`: values in the parameters' base units. */
export function sharedMemoryBytes(numbers: Numbers): number {
  const value = (name: string): number => numbers[name] ?? defaults[name] ?? 0;
  const processes = value("max_connections") + value("max_worker_processes") + value("max_wal_senders");
  const lockHolders = processes + value("max_prepared_transactions");
  let bytes = processes * connectionBytes + value("max_worker_processes") * workerBytes;
  bytes += lockHolders * value("max_locks_per_transaction") * lockBytes;
  bytes += lockHolders * value("max_pred_locks_per_transaction") * predicateLockBytes;
  for (const name of buffers) {
    const unit = findParameter(name)?.unit ?? "B";
    bytes += bytesOf(Math.max(0, value(name)), unit);
  }
  return bytes;
}
