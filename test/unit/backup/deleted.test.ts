import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  clusterStatusSchema,
  type DeletedCluster,
  deletedCluster,
  finalBackupOf,
  isKept,
  isTimeOver,
  keptText,
  pointNameSchema,
} from "../../../layers/domain/index.ts";
import { specOf } from "../config/support.ts";
import { backupOf, clusterId, minute } from "./support/backups.ts";

const node = {} as never;
const retaining = (retainAfterDeleteDays: number) => specOf({ backup: { retainAfterDeleteDays } });
const cluster = {
  id: clusterId,
  name: "orders",
  spec: retaining(7),
  generation: 3,
  status: "available",
} as const;

const bury = (change: Partial<Parameters<typeof deletedCluster>[1]> = {}, of = cluster) =>
  deletedCluster(of, {
    deletedAt: minute(0),
    backups: [backupOf(1)],
    archivedUntil: minute(5),
    archiveEnd: null,
    before: null,
    isUnborn: false,
    ...change,
  });

describe("the final backup of a delete", () => {
  test("is taken wherever there may be something to lose and somebody to take it", () => {
    for (const status of clusterStatusSchema.options) {
      const { kind } = finalBackupOf({ nodes: [node], spec: retaining(7), status }, true);
      const expected = status === "failed" ? "none" : status.startsWith("stop") ? "impossible" : "take";
      expect([status, kind]).toEqual([status, expected]);
    }
  });

  test("is never taken where it was not asked for, or would be removed at once", () => {
    for (const status of clusterStatusSchema.options) {
      expect(finalBackupOf({ nodes: [node], spec: retaining(7), status }, false).kind).toBe("none");
      expect(finalBackupOf({ nodes: [node], spec: retaining(0), status }, true).kind).toBe("none");
    }
  });

  test("that is impossible says what to do", () => {
    const refused = finalBackupOf({ nodes: [node], spec: retaining(7), status: "stopped" }, true);
    expect(refused).toMatchObject({ because: expect.stringMatching(/start it first.*\?finalBackup=false/) });
  });
});

describe("what is kept of a deleted cluster", () => {
  const dayMs = 24 * 3600 * 1000;

  test("is kept for exactly as long as its spec says, and nobody reads it while it is removed", () => {
    const days = fc.integer({ min: 0, max: 3650 });
    const moments = fc.integer({ min: 0, max: 4000 * dayMs });
    fc.assert(
      fc.property(days, moments, fc.boolean(), (count, afterMs, isRemoving) => {
        const deleted: DeletedCluster = {
          ...bury({}, { ...cluster, spec: retaining(count) }),
          isRemoving,
        };
        const now = new Date(Date.parse(minute(0)) + afterMs).toISOString();
        expect(isTimeOver(deleted, now)).toBe(afterMs >= count * dayMs);
        expect(isKept(deleted, now)).toBe(!isRemoving && afterMs < count * dayMs);
      }),
    );
  });

  test("without a backup is nothing, and goes at once", () => {
    const deleted = bury({ backups: [backupOf(1, { label: null, state: "failed" })] });
    expect(deleted).toMatchObject({ hasBackups: false, keptUntil: minute(0) });
    expect(isTimeOver(deleted, minute(0))).toBe(true);
  });

  test("reaches as far as the last leader said, or as far as was known", () => {
    expect(bury()).toMatchObject({ archivedUntil: minute(5), archiveEnd: null });
    const archiveEnd = { at: minute(8), timeline: 2, lsn: "0/8000000", forks: [] };
    expect(bury({ archiveEnd })).toMatchObject({ archivedUntil: minute(8), archiveEnd });
  });

  test("counts on from the first delete where it failed to be brought back", () => {
    const before = bury();
    const again = { deletedAt: minute(50), before, archivedUntil: null, isUnborn: true };
    expect(bury({ ...again, before: { ...before, isRemoving: true } })).toEqual(before);
    expect(bury({ ...again, isUnborn: false }).keptUntil > before.keptUntil).toBe(true);
  });

  test("is told with the time, and how to get it back", () => {
    const deleted = bury();
    const text = keptText(deleted, minute(1));
    expect(text).toContain(deleted.keptUntil);
    expect(text).toContain(`POST /v1/clusters/${clusterId}/undelete`);
    expect(keptText(deleted, deleted.keptUntil)).toContain("nothing is kept");
  });

  test("with logical backups alone does not promise to come back", () => {
    const logical = backupOf(1, { type: "logical", engine: "pg_dump" });
    const goes = backupOf(2, { state: "deleting" });
    const deleted = bury({ backups: [logical, goes] });
    expect(deleted).toMatchObject({ hasBackups: true, hasFiles: false });
    const text = keptText(deleted, minute(1));
    expect(text).not.toContain("undelete");
    expect(text).toContain(`POST /v1/clusters/${clusterId}/restore`);
    expect(bury({ backups: [logical, backupOf(2)] })).toMatchObject({ hasFiles: true });
  });
});

describe("the name of a restore point", () => {
  test("has 1 to 63 characters that are one byte each", () => {
    for (const name of ["a", "before-release_1.2:3", "x".repeat(63), "2026"]) {
      expect(pointNameSchema.safeParse(name).success, name).toBe(true);
    }
    for (const name of ["", "x".repeat(64), "-a", "vor dem Umzug", "ä", "a'b", "a\nb"]) {
      expect(pointNameSchema.safeParse(name).success, name).toBe(false);
    }
  });
});
