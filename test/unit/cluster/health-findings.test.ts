import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findingsOf, noTimers, type ObservedHealth } from "../../../layers/domain/index.ts";
import { backupOf } from "../backup/support/backups.ts";
import { nodeIdOf } from "../config/support.ts";
import {
  dead,
  surveyOf,
  twice,
  well,
  withDcs,
  withDcsBytes,
  withInspection,
  withMember,
  withNeighbour,
} from "./support/health.ts";

/** What a runbook begins with, an ellipsis standing for anything. */
async function quotesOf(kind: string): Promise<RegExp[]> {
  const page = await readFile(new URL(`../../../docs/runbooks/${kind}.md`, import.meta.url), "utf8");
  return [...page.matchAll(/^> (.+)$/gm)].map(
    ([, quote = ""]) => new RegExp(`^${quote.replaceAll(/[.%()]/g, "\\$&").replaceAll("…", ".+")}$`),
  );
}

const sentences = (observed: ObservedHealth): string[] => findingsOf(observed).map((one) => one.sentence);

const kinds = (observed: ObservedHealth): string[] => findingsOf(observed).map((one) => one.kind);

/** Scheduled for two hours ago. */
function withDueBackup(observed: ObservedHealth, backups: ObservedHealth["backups"]): ObservedHealth {
  const full = { cron: "0 22 * * *", since: "2025-12-01T00:00:00.000Z" };
  return {
    ...observed,
    backups,
    cluster: { ...observed.cluster, schedules: { ...noTimers, full } },
  };
}

const failedBackup = {
  ...backupOf(1, { state: "failed", label: null, startedAt: "2025-12-31T22:00:02.000Z" }),
  endedAt: "2025-12-31T22:01:00.000Z",
  error: { code: "backup-failed", message: "6 tries came to nothing, the last one with: AccessDenied." },
};

describe("what is found", () => {
  test("nothing, of a cluster of any size that is well", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), (count) => {
        expect(findingsOf(well(count))).toEqual([]);
      }),
    );
  });

  test.each<[string, ObservedHealth, string[], RegExp]>([
    [
      "a killed machine",
      dead(well(), 2),
      ["node-silent"],
      /Node nod_\S+2 in local-1c gives no sign of life\b/,
    ],
    ["a node cut off", dead(well(5), 4), ["node-silent"], /Node nod_\S+4 in local-1b/],
    [
      "a stopped replica",
      withMember(well(), 2, { state: "stopped" }),
      ["member-down"],
      /PostgreSQL on node nod_\S+2 in local-1c is stopped, not streaming/,
    ],
    [
      "a crashed leader",
      withMember(well(), 0, { state: "crashed" }),
      ["no-leader", "member-down"],
      /Shard 0 has no leader/,
    ],
    [
      "a replica that does not stream",
      withMember(well(), 2, { state: "running" }),
      ["member-down"],
      /runs? but does not stream|running but does not stream/,
    ],
    [
      "a silent Patroni",
      withNeighbour(well(), nodeIdOf(2), { patroni: false }),
      ["patroni-down"],
      /Patroni on node nod_\S+2/,
    ],
    [
      "a killed HAProxy",
      withNeighbour(well(), nodeIdOf(1), { haproxy: false }),
      ["haproxy-down"],
      /HAProxy on node nod_\S+1/,
    ],
    [
      "a killed pooler",
      withNeighbour(well(), nodeIdOf(1), { pgbouncer: false }),
      ["pooler-down"],
      /PgBouncer on node nod_\S+1/,
    ],
    ["a sick etcd", withDcs(well(), [1]), ["dcs-member-down"], /etcd on node nod_\S+1/i],
    [
      "two sick etcds",
      withDcs(well(), [1, 2]),
      ["no-quorum", "dcs-member-down", "dcs-member-down"],
      /1 of 3 members are healthy/,
    ],
    [
      "nobody synchronous",
      withMember(well(), 1, { role: "replica" }),
      ["not-synchronous"],
      /No replica is synchronous/,
    ],
    ["a late replica", withMember(well(), 2, { lagBytes: 2 ** 30 }), ["member-lags"], /1024 MiB behind/],
    [
      "a full volume",
      withInspection(well(), 1, { disk: { totalBytes: 100, usedBytes: 91 } }),
      ["disk-full"],
      /node nod_\S+1 in local-1b is 91 % full/,
    ],
    [
      "an etcd that fills up",
      withDcsBytes(well(), 1, 220 * 1024 ** 2),
      ["dcs-near-quota"],
      /Etcd on node nod_\S+1 in local-1b has used 85 % of its quota\.$/,
    ],
    [
      "a PostgreSQL that has hardly a connection left",
      withInspection(well(), 0, { connections: { used: 90, max: 94 } }),
      ["connections-short"],
      /Clients use 90 of the 94 connections of PostgreSQL on node nod_\S+0 in local-1a\.$/,
    ],
    [
      "a service that falls over",
      withInspection(well(), 1, { services: { "pgbouncer.service": "failed" } }),
      ["pooler-down"],
      /has failed/,
    ],
    [
      "a backup that nobody took",
      withDueBackup(well(), []),
      ["backup-late"],
      /No full backup has been taken since one was due at 2025-12-31T22:00:00.000Z: none could begin\.$/,
    ],
    [
      "a backup that failed",
      withDueBackup(well(), [failedBackup]),
      ["backup-late"],
      /a try has failed with: 6 tries came to nothing, the last one with: AccessDenied\.$/,
    ],
    [
      "a backup that could not be proven",
      {
        ...well(),
        cluster: {
          ...well().cluster,
          lastDrill: {
            at: "2025-12-31T06:00:00.000Z",
            ok: false,
            operationId: `opn_${"0".repeat(26)}`,
            backupId: `bkp_${"0".repeat(26)}`,
            restoreSeconds: 12,
            message: "pg_amcheck: block 7 is damaged.",
          },
        },
      },
      ["drill-failed"],
      /The last drill, of backup bkp_0+ at 2025-12-31T06:00:00.000Z, has failed: pg_amcheck: block 7 is damaged\.$/,
    ],
    [
      "a repository that is damaged",
      {
        ...well(),
        cluster: {
          ...well().cluster,
          lastVerification: {
            at: "2025-12-31T05:00:00.000Z",
            ok: false,
            operationId: `opn_${"0".repeat(26)}`,
            backups: 3,
            walSegments: 20,
            message: "of what is stored, 2 files are missing",
          },
        },
      },
      ["verification-failed"],
      /What is stored of the backups could not be verified at 2025-12-31T05:00:00.000Z: of what is stored, 2 files are missing\.$/,
    ],
    [
      "an old segment",
      withInspection(well(), 0, {
        wal: { bytes: 1, readyCount: 3, oldestReadySeconds: 900, archivedUntil: null },
      }),
      ["wal-not-archived"],
      /3 WAL segments .* oldest for 900 s/,
    ],
    [
      "much WAL",
      withInspection(well(), 0, {
        wal: { bytes: 700, readyCount: 0, oldestReadySeconds: null, archivedUntil: null },
      }),
      ["wal-piles-up"],
      /WAL takes/,
    ],
    [
      "an old certificate",
      withInspection(well(), 0, { certificateSecondsLeft: 3600 }),
      ["certificate-expires"],
      /expires on 2027/,
    ],
    ["a wrong clock", withInspection(well(), 0, { clockSkewMs: 4500 }), ["clock-skew"], /off by 4.5 s/],
    ["nobody to ask", { ...well(), survey: null }, ["no-answer"], /none of its nodes takes commands/],
  ])("%s is told by its own sentence, with the node, which its runbook quotes", async (...trouble) => {
    const [, observed, expected, sentence] = trouble;
    expect(kinds(observed)).toEqual(expected);
    expect(sentences(observed)[0]).toMatch(sentence);
    const quotes = await quotesOf(expected[0] ?? "");
    expect(
      quotes.some((quote) => quote.test(sentences(observed)[0] ?? "")),
      String(quotes),
    ).toBe(true);
  });

  test("a stopped instance is told as such, whoever can be asked", () => {
    const observed = {
      ...well(),
      instances: new Map(well().instances).set(nodeIdOf(2), {
        instanceId: "i-2",
        instanceType: "t4g.medium",
        life: "stopped" as const,
      }),
    };
    expect(sentences(observed)[0]).toMatch(/no sign of life: its instance is stopped/);
    expect(kinds({ ...observed, survey: null })).toEqual(["no-answer", "node-silent"]);
  });

  test("exporters that fall over are nobody's trouble but Prometheus'", () => {
    const services = {
      "pgherd-metrics.socket": "failed",
      "prometheus-node-exporter.service": "failed",
    } as const;
    expect(kinds(withInspection(well(), 1, { services }))).toEqual([]);
  });

  test("a cluster without a synchronous promise misses no synchronous standby", () => {
    expect(kinds(withMember(well(3, { durability: "async" }), 1, { role: "replica" }))).toEqual([]);
  });

  test("a node that has no majority is not believed when it says that others are silent", () => {
    const survey = surveyOf(dead(dead(well(), 1), 2));
    const { findings, silentSince } = twice({ ...well(), survey }).record;
    expect(findings.some((key) => key.startsWith("node-silent"))).toBe(false);
    expect(silentSince).toEqual({});
  });

  test("a service that its neighbour and its node miss is told once", () => {
    const observed = withInspection(withNeighbour(well(), nodeIdOf(1), { haproxy: false }), 1, {
      services: { "haproxy.service": "inactive" },
    });
    expect(kinds(observed)).toEqual(["haproxy-down"]);
  });
});
