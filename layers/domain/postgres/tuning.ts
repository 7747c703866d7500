import { formatMemory } from "./quantity.ts";

/**
 * Settings that follow from the size of a machine, after PGTune's rules for a mixed load. Pure arithmetic.
 * PostgreSQL maps shared_buffers but takes pages only as it uses them, so machines that share one host get along.
 */

export interface MachineSize {
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly storageGiB: number;
}

const mebi = 1024 ** 2;
const gibi = 1024 ** 3;

/** etcd, Patroni, HAProxy and PgBouncer together; at most this share of a small machine. */
const neighboursMiB = 512;
const neighboursShareMax = 0.3;

const connectionsMin = 100;
const connectionsMax = 800;
/** A connection with its caches and some work memory. */
const connectionMiB = 16;

/** Sorts and hashes of one query that may each take work_mem at once. */
const workAreasPerConnection = 3;
const workMemoryMin = 4 * mebi;
const workMemoryMax = gibi;

/** PostgreSQL 17's vacuum uses more than 1 GiB, but several workers may run. */
const maintenanceMemoryMin = 32 * mebi;
const maintenanceMemoryMax = 2 * gibi;

/** More than one WAL segment is of no use. */
const walBuffersMax = 16 * mebi;

/** WAL between two checkpoints, as a share of the volume: recovery after a crash has to read it. */
const walShare = 1 / 10;
const walSizeMin = 128 * mebi;
const walSizeMax = 16 * gibi;
/** What a replica that is away may hold back before it must be cloned anew; the rest is for data. */
const slotShare = 1 / 4;

const parallelWorkersPerQueryMax = 4;
const workerProcessesMin = 8;

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

/** Whole mebibytes, so that the setting reads well. */
function wholeMebi(bytes: number): number {
  return Math.floor(bytes / mebi) * mebi;
}

/** The default of max_connections. */
function connectionsFor(memoryMiB: number): number {
  return clamp(Math.floor(memoryMiB / connectionMiB), connectionsMin, connectionsMax);
}

/** Settings of one member. `connections`: max_connections as it will be. */
export function tuneMember(size: MachineSize, connections: number): Record<string, string> {
  const total = size.memoryMiB * mebi;
  const usable = total - Math.min(neighboursMiB * mebi, total * neighboursShareMax);
  const sharedBuffers = wholeMebi(usable / 4);
  const workMemory = (usable - sharedBuffers) / (connections * workAreasPerConnection);
  const walSize = clamp(wholeMebi(size.storageGiB * gibi * walShare), walSizeMin, walSizeMax);
  const perQuery = clamp(Math.floor(size.vcpus / 2), 1, parallelWorkersPerQueryMax);
  return {
    shared_buffers: formatMemory(sharedBuffers),
    effective_cache_size: formatMemory(wholeMebi((usable * 3) / 4)),
    work_mem: formatMemory(wholeMebi(clamp(workMemory, workMemoryMin, workMemoryMax))),
    maintenance_work_mem: formatMemory(
      wholeMebi(clamp(usable / 16, maintenanceMemoryMin, maintenanceMemoryMax)),
    ),
    wal_buffers: formatMemory(Math.min(walBuffersMax, wholeMebi(sharedBuffers / 32))),
    max_wal_size: formatMemory(walSize),
    min_wal_size: formatMemory(wholeMebi(walSize / 4)),
    max_slot_wal_keep_size: formatMemory(
      Math.max(2 * walSizeMin, wholeMebi(size.storageGiB * gibi * slotShare)),
    ),
    max_parallel_workers: String(Math.max(size.vcpus, 2)),
    max_parallel_workers_per_gather: String(perQuery),
    max_parallel_maintenance_workers: String(perQuery),
    // The volumes are SSDs: a random page costs hardly more than the next one.
    random_page_cost: "1.1",
    effective_io_concurrency: "200",
  };
}

/** Settings that all members share (Patroni keeps them in the DCS). */
export function tuneShared(size: MachineSize): Record<string, string> {
  return {
    max_connections: String(connectionsFor(size.memoryMiB)),
    max_worker_processes: String(Math.max(workerProcessesMin, size.vcpus)),
    max_wal_senders: "20",
    max_replication_slots: "20",
    max_prepared_transactions: "0",
    max_locks_per_transaction: "64",
    track_commit_timestamp: "off",
    wal_keep_size: "128MB",
  };
}
