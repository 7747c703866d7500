import { describe, expect, test } from "vitest";
import { checkSpec } from "../../../layers/domain/cluster/check.ts";
import { findInstanceType, instanceTypeNames } from "../../../layers/domain/cluster/instance-types.ts";
import { checkParameter } from "../../../layers/domain/postgres/parameters.ts";
import { sharedMemoryBytes } from "../../../layers/domain/postgres/shared-memory.ts";
import { settleParameters } from "../../../layers/domain/postgres/spec-parameters.ts";
import { specOf } from "../config/support.ts";

const volumes = [1, 20, 16_384];
const combinations = instanceTypeNames.flatMap((instanceType) =>
  volumes.map((sizeGiB) => [instanceType, sizeGiB] as const),
);

/** Settings that pgherd alone may set have no other check. */
function numberOf(name: string, text: string | undefined): number {
  const checked = checkParameter(name, text ?? "");
  if (!checked.ok || checked.number === null) throw new Error(`${name} = ${text} is not a number`);
  return checked.number;
}

describe("what a machine's size suggests", () => {
  test.each(combinations)("PostgreSQL takes it on %s with %i GiB", (instanceType, sizeGiB) => {
    const { member, shared } = settleParameters(specOf({ instanceType, storage: { sizeGiB } }));
    for (const [name, text] of Object.entries({ ...member, ...shared })) {
      expect(checkParameter(name, text), `${name} = ${text}`).toMatchObject({ ok: true });
    }
  });

  test.each(combinations)("it leaves room on %s with %i GiB", (instanceType, sizeGiB) => {
    const { member, shared } = settleParameters(specOf({ instanceType, storage: { sizeGiB } }));
    const memoryBytes = (findInstanceType(instanceType)?.memoryMiB ?? 0) * 1024 ** 2;
    const numbers: Record<string, number> = {};
    for (const name of ["shared_buffers", "wal_buffers"]) numbers[name] = numberOf(name, member[name]);
    numbers["max_connections"] = numberOf("max_connections", shared["max_connections"]);
    expect(sharedMemoryBytes(numbers)).toBeLessThan(memoryBytes / 2);
    const volumeMB = sizeGiB * 1024;
    const wal = ["max_wal_size", "max_slot_wal_keep_size"].map((name) => numberOf(name, member[name]));
    expect(wal.reduce((sum, megabytes) => sum + megabytes)).toBeLessThanOrEqual(volumeMB / 2);
    expect(numberOf("min_wal_size", member["min_wal_size"])).toBeGreaterThanOrEqual(32);
  });

  test.each(combinations)("checkSpec has nothing against %s with %i GiB", (instanceType, sizeGiB) => {
    expect(checkSpec(specOf({ instanceType, storage: { sizeGiB } })).errors).toEqual([]);
  });

  test("a machine of 4 GiB, as reviewed", () => {
    expect(settleParameters(specOf())).toMatchInlineSnapshot(`
      {
        "member": {
          "effective_cache_size": "2688MB",
          "effective_io_concurrency": "200",
          "maintenance_work_mem": "224MB",
          "max_parallel_maintenance_workers": "1",
          "max_parallel_workers": "2",
          "max_parallel_workers_per_gather": "1",
          "max_slot_wal_keep_size": "5GB",
          "max_wal_size": "2GB",
          "min_wal_size": "512MB",
          "random_page_cost": "1.1",
          "shared_buffers": "896MB",
          "shared_preload_libraries": "pg_stat_statements",
          "wal_buffers": "16MB",
          "work_mem": "4MB",
        },
        "shared": {
          "max_connections": "256",
          "max_locks_per_transaction": "64",
          "max_prepared_transactions": "0",
          "max_replication_slots": "20",
          "max_wal_senders": "20",
          "max_worker_processes": "8",
          "track_commit_timestamp": "off",
          "wal_keep_size": "128MB",
        },
      }
    `);
  });

  test("a larger machine gets more of everything that memory buys", () => {
    const [small, large] = ["m7g.large", "m7g.4xlarge"].map(
      (instanceType) => settleParameters(specOf({ instanceType })).member,
    );
    for (const name of ["shared_buffers", "effective_cache_size", "maintenance_work_mem", "work_mem"]) {
      expect(numberOf(name, large?.[name]), name).toBeGreaterThan(numberOf(name, small?.[name]));
    }
  });
});

test("what the spec asks for comes before what the machine suggests", () => {
  const { member, shared } = settleParameters(
    specOf({ parameters: { shared_buffers: "1GB", max_connections: 50 } }),
  );
  expect(member["shared_buffers"]).toBe("1GB");
  expect(shared["max_connections"]).toBe("50");
});
