import { describe, expect, test } from "vitest";
import {
  type AppliedSchedules,
  type Branch,
  backupPatience,
  backupToProve,
  checkSpec,
  drillSource,
  noTimers,
  proofToBegin,
  restoredFrom,
  throwAwayName,
  throwAwaySpec,
} from "../../../layers/domain/index.ts";
import { clusterId, specOf } from "../config/support.ts";
import { backupOf } from "./support/backups.ts";

const endedAt = "2026-01-04T02:00:10.000Z";
const newest = backupOf(2, { label: "20260104-020000F", endedAt });
const older = backupOf(1, { label: "20260101-020000F", endedAt: "2026-01-01T02:00:10.000Z" });
const running = backupOf(3, { label: null, state: "running" });
const logical = backupOf(4, { engine: "pg_dump", type: "logical" });
const all = [older, newest, running, logical];

const branchAt = (at: string): Branch => ({
  operationId: `opn_${"0".repeat(26)}`,
  at,
  left: { timeline: 1, lsn: "0/1", nextXid: "1", restorePoint: "before", at },
  timeline: 2,
  history: [],
});

describe("what a drill restores", () => {
  test("is, by a schedule, the newest backup of files that has succeeded", () => {
    expect(backupToProve(all)?.id).toBe(newest.id);
    expect(backupToProve([running, logical])).toBeNull();
  });

  test("is everything up to now with the newest backup, and an older one by itself", () => {
    const source = { branches: [], spec: specOf() };
    expect(drillSource(newest, all, source)).toMatchObject({ target: "latest", archiveFirst: "may" });
    expect(drillSource(older, all, source)).toMatchObject({ target: "immediate", label: "20260101-020000F" });
  });

  test("is the backup by itself where the cluster has left its timeline since", () => {
    expect(
      drillSource(newest, all, { branches: [branchAt("2026-01-04T03:00:00.000Z")], spec: specOf() }).target,
    ).toBe("immediate");
    expect(
      drillSource(newest, all, { branches: [branchAt("2026-01-03T03:00:00.000Z")], spec: specOf() }).target,
    ).toBe("latest");
  });
});

test("a drill reads where the cluster archives to", () => {
  const store = {
    endpoint: "minio.example.com",
    bucket: "b",
    region: "r",
    pathStyle: true,
    credentialsParameter: "/pgherd/prod/stores/minio",
  };
  const spec = { ...specOf(), backup: { ...specOf().backup, store } };
  expect(drillSource(newest, all, { branches: [], spec })).toMatchObject({ store });
});

test("the backup that a drill reads stays as long as the drill has not ended", () => {
  const request = {
    backupId: newest.id,
    throwAway: { clusterId, nodeId: `nod_${"0".repeat(26)}`, zone: "local-1a" },
    source: drillSource(newest, all, { branches: [], spec: specOf() }),
    database: "app",
    tables: [],
  };
  expect(restoredFrom(request)).toMatchObject({ clusterId: newest.clusterId, backupId: newest.id });
});

describe("the cluster of a drill", () => {
  const source = specOf({
    members: 5,
    instanceType: "m7g.large",
    durability: "strict",
    deletionProtection: true,
    dcs: { placement: "dedicated" },
    parameters: { max_connections: 300 },
    backup: { drill: { cron: "0 6 1 * *", tables: ["public.orders"] } },
  });
  const spec = throwAwaySpec(source, clusterId);

  test("is one node of the same size, which recovers as the cluster itself would", () => {
    const { instanceType, parameters, storage } = source;
    expect(spec).toMatchObject({ members: 1, instanceType, parameters, storage, dcs: { members: 1 } });
    expect(checkSpec(spec).errors).toEqual([]);
  });

  test("does nothing by itself, and nothing keeps it from being removed", () => {
    expect(spec).toMatchObject({
      deletionProtection: false,
      selfHealing: false,
      pooler: { enabled: false },
      backup: { drill: null, verify: null, retainAfterDeleteDays: 0 },
    });
    expect(Object.values(spec.backup.schedules)).toEqual([null, null, null, null]);
  });

  test("has a name of its source's own, which is a cluster's name", () => {
    expect(throwAwayName(clusterId)).toMatch(/^drill-[a-z0-9]{16}$/);
    expect(throwAwayName(clusterId)).not.toBe(throwAwayName(`${clusterId.slice(0, -1)}0`));
  });
});

describe("a proof that was due", () => {
  const due = "2026-01-01T06:00:00.000Z";
  const later = (seconds: number): string => new Date(Date.parse(due) + seconds * 1000).toISOString();
  const monthly: AppliedSchedules = {
    ...noTimers,
    drill: { cron: "0 6 1 * *", since: "2025-01-01T00:00:00.000Z" },
  };
  const { missedSeconds } = backupPatience;

  test("is left to its schedule for some minutes, and begun then", () => {
    expect(proofToBegin("drill", monthly, null, later(missedSeconds - 1))).toBeNull();
    expect(proofToBegin("drill", monthly, null, later(missedSeconds))).toBe(due);
    expect(proofToBegin("verify", monthly, null, later(missedSeconds))).toBeNull();
  });

  test("is none where one has begun since, whatever came of it", () => {
    expect(proofToBegin("drill", monthly, later(5), later(3600))).toBeNull();
    expect(proofToBegin("drill", monthly, later(-3600), later(3600))).toBe(due);
  });

  test("waits for its next time after a day, and is none where the schedule is younger", () => {
    expect(proofToBegin("drill", monthly, null, later(25 * 3600))).toBeNull();
    const young = { ...monthly, drill: { cron: "0 6 1 * *", since: later(1) } };
    expect(proofToBegin("drill", young, null, later(3600))).toBeNull();
  });
});
