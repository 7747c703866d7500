import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  findingKinds,
  findingsOf,
  type HealthRecord,
  isNews,
  judge,
  metricsOf,
  type ObservedHealth,
  unknownHealth,
} from "../../../layers/domain/index.ts";
import { backupOf } from "../backup/support/backups.ts";
import { nodeIdOf } from "../config/support.ts";
import {
  anything,
  inspection,
  now,
  twice,
  well,
  withDcsBytes,
  withInspection,
  withMember,
} from "./support/health.ts";

describe("how far the archive reaches", () => {
  const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  const says = (observed: ObservedHealth, index: number, archivedUntil: string | null): ObservedHealth =>
    withInspection(observed, index, { wal: { ...inspection.wal, archivedUntil } });
  const judged = (observed: ObservedHealth, before: string | null): string | null => {
    const record = { ...unknownHealth, archivedUntil: before };
    return judge(observed, { record, status: "available", suspected: [] }).record.archivedUntil;
  };

  test("is the leader's to say: a replica knows what it was sent", () => {
    expect(judged(says(says(well(), 0, at(100)), 1, at(500)), null)).toBe(at(100));
    expect(judged(says(well(), 1, at(500)), null)).toBeNull();
  });

  test("is written down once a minute, and stays known while nobody says", () => {
    expect(judged(says(well(), 0, at(159)), at(100))).toBe(at(100));
    expect(judged(says(well(), 0, at(160)), at(100))).toBe(at(160));
    expect(judged(well(), at(100))).toBe(at(100));
    expect(judged({ ...well(), survey: null }, at(100))).toBe(at(100));
  });
});

describe("of whatever is seen", () => {
  test("a third look at the same is no news, whatever order the table answers in", () => {
    fc.assert(
      fc.property(anything, (observed) => {
        const second = twice(observed);
        const reversed = JSON.parse(JSON.stringify(second.record)) as HealthRecord;
        const record = Object.fromEntries(Object.entries(reversed).reverse()) as unknown as HealthRecord;
        const before = { record, status: second.status, drift: second.drift };
        const third = judge(observed, { ...before, suspected: second.suspected });
        expect(third.events).toEqual([]);
        expect(isNews(third, before)).toBe(false);
      }),
    );
  });

  test("degraded is exactly what has a finding, in one sentence that names every node in trouble", () => {
    fc.assert(
      fc.property(anything, (observed) => {
        const found = findingsOf(observed);
        const { status, statusReason } = twice(observed);
        expect(status).toBe(found.length === 0 ? "available" : "degraded");
        for (const { nodeId } of found) if (nodeId !== null) expect(statusReason).toContain(nodeId);
        expect(found.every((one) => findingKinds.includes(one.kind))).toBe(true);
      }),
    );
  });
});

describe("the numbers", () => {
  test("are the worst of the nodes, and each of them", () => {
    const lagging = withDcsBytes(withMember(well(), 2, { lagBytes: 4096 }), 1, 64 * 1024 ** 2);
    const observed = {
      ...withInspection(lagging, 0, {
        disk: { totalBytes: 1000, usedBytes: 500 },
        wal: { bytes: 10, readyCount: 2, oldestReadySeconds: 30, archivedUntil: null },
        connections: { used: 47, max: 94 },
        certificateSecondsLeft: 60,
      }),
      backups: [backupOf(1, { endedAt: "2025-12-31T23:00:00.000Z" })],
    };
    expect(metricsOf(observed)).toMatchObject({
      observedAt: now,
      hasLeader: true,
      synchronousStandbys: 1,
      synchronousStandbysWanted: 1,
      replicationLagBytes: 4096,
      walArchiveAgeSeconds: 30,
      backupAgeSeconds: 3600,
      diskUsedShare: 0.5,
      connectionsUsedShare: 0.5,
      dcsUsedShare: 0.25,
      certificateSecondsLeft: 60,
      nodes: [
        { nodeId: nodeIdOf(0), diskUsedBytes: 500, connectionsUsed: 47, lagBytes: null },
        { nodeId: nodeIdOf(1), diskUsedBytes: 100, dcsBytes: 64 * 1024 ** 2 },
        { nodeId: nodeIdOf(2), lagBytes: 4096 },
      ],
    });
  });

  test("of what nobody could see are not there, and none is made up", () => {
    expect(metricsOf({ ...well(), survey: null, inspections: new Map(), backups: [] })).toMatchObject({
      hasLeader: null,
      synchronousStandbys: null,
      replicationLagBytes: null,
      walArchiveAgeSeconds: null,
      backupAgeSeconds: null,
      diskUsedShare: null,
      connectionsUsedShare: null,
      dcsUsedShare: null,
      certificateSecondsLeft: null,
    });
  });
});
