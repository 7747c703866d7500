import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ClusterNode,
  findingKinds,
  findingsOf,
  type HealthRecord,
  isNews,
  type Judgement,
  judge,
  metricsOf,
  noTimers,
  type ObservedHealth,
  type SeenInspection,
  unknownHealth,
  wellSentence,
  withPauseReminder,
} from "../../../layers/domain/index.ts";
import { backupOf } from "../backup/support/backups.ts";
import { clusterId, nodeIdOf, specOf } from "../config/support.ts";

type Survey = NonNullable<ObservedHealth["survey"]>;

const now = "2026-01-01T00:00:00.000Z";

function nodesOf(count: number): ClusterNode[] {
  return Array.from({ length: count }, (_, index) => ({
    id: nodeIdOf(index),
    zone: `local-1${"abc"[index % 3]}`,
    shard: 0,
    services: index < 3 ? ["postgres", "etcd", "haproxy", "pgbouncer"] : ["postgres", "haproxy", "pgbouncer"],
    state: "running",
    instanceId: `i-${index}`,
    networkInterfaceId: `eni-${index}`,
    address: `198.18.0.1${index}`,
    volumeId: `vol-${index}`,
  }));
}

const inspection: SeenInspection = {
  revision: null,
  services: {
    "etcd.service": "active",
    "patroni.service": "active",
    "haproxy.service": "active",
    "pgbouncer.service": "active",
  },
  disk: { totalBytes: 1000, usedBytes: 100 },
  wal: { bytes: 10, readyCount: 0, oldestReadySeconds: null, archivedUntil: null },
  connections: { used: 5, max: 94 },
  certificateNotAfter: "2027-01-01T00:00:00.000Z",
  nowMs: 0,
  drift: [],
  patroniVersion: "4.0.7",
  wrapper: true,
  clockSkewMs: 0,
  certificateSecondsLeft: 1e7,
};

/** A cluster as it should be, seen from its first node. */
function well(count = 3, body: Parameters<typeof specOf>[0] = {}): ObservedHealth {
  const nodes = nodesOf(count);
  const cluster: ObservedHealth["cluster"] = {
    id: clusterId,
    nodes,
    spec: specOf({ members: count, ...body }),
    schedules: null,
    lastDrill: null,
    lastVerification: null,
  };
  const survey: Survey = {
    by: nodeIdOf(0),
    observation: {
      members: nodes.map(({ id }, index) => ({
        nodeId: id,
        role: index === 0 ? "leader" : index === 1 ? "sync-standby" : "replica",
        state: index === 0 ? "running" : "streaming",
        timeline: 1,
        lagBytes: index === 0 ? null : 0,
        pendingRestart: false,
      })),
      dcs: {
        quorum: true,
        members: nodes
          .slice(0, 3)
          .map(({ id }, index) => ({ nodeId: id, healthy: true, leader: index === 2 })),
      },
    },
    neighbours: nodes
      .slice(1)
      .map(({ id }) => ({ nodeId: id, patroni: true, haproxy: true, pgbouncer: true })),
  };
  return {
    cluster,
    now,
    survey,
    inspections: new Map(nodes.map(({ id }) => [id, inspection])),
    instances: new Map(
      nodes.map(({ id, instanceId }) => [
        id,
        { instanceId: instanceId ?? "", instanceType: "t4g.medium", life: "running" },
      ]),
    ),
    backups: null,
    paused: null,
  };
}

const surveyOf = (observed: ObservedHealth): Survey => {
  if (observed.survey === null) throw new Error("the cluster was not seen");
  return observed.survey;
};

function withMember(observed: ObservedHealth, index: number, change: object): ObservedHealth {
  const survey = surveyOf(observed);
  const members = survey.observation.members.map((one, at) => (at === index ? { ...one, ...change } : one));
  return { ...observed, survey: { ...survey, observation: { ...survey.observation, members } } };
}

function withNeighbour(observed: ObservedHealth, nodeId: string, change: object): ObservedHealth {
  const survey = surveyOf(observed);
  const neighbours = survey.neighbours.map((one) => (one.nodeId === nodeId ? { ...one, ...change } : one));
  return { ...observed, survey: { ...survey, neighbours } };
}

function withDcs(observed: ObservedHealth, sick: readonly number[]): ObservedHealth {
  const survey = surveyOf(observed);
  const members = survey.observation.dcs.members.map((one, at) =>
    sick.includes(at) ? { ...one, healthy: false, leader: false } : one,
  );
  const dcs = { quorum: members.filter((one) => one.healthy).length * 2 > members.length, members };
  return { ...observed, survey: { ...survey, observation: { ...survey.observation, dcs } } };
}

function withDcsBytes(observed: ObservedHealth, index: number, dbBytes: number): ObservedHealth {
  const survey = surveyOf(observed);
  const { dcs } = survey.observation;
  const members = dcs.members.map((one, at) => (at === index ? { ...one, dbBytes } : one));
  return {
    ...observed,
    survey: { ...survey, observation: { ...survey.observation, dcs: { ...dcs, members } } },
  };
}

function withInspection(
  observed: ObservedHealth,
  index: number,
  change: Partial<SeenInspection>,
): ObservedHealth {
  const inspections = new Map(observed.inspections).set(nodeIdOf(index), { ...inspection, ...change });
  return { ...observed, inspections };
}

const deaf = { patroni: false, haproxy: false, pgbouncer: false };

/** Nothing answers on the machine any more; Patroni still tells what it saw last. */
const dead = (observed: ObservedHealth, index: number): ObservedHealth =>
  withDcs(withNeighbour(observed, nodeIdOf(index), deaf), [index]);

/** What a runbook begins with, an ellipsis standing for anything. */
async function quotesOf(kind: string): Promise<RegExp[]> {
  const page = await readFile(new URL(`../../../docs/runbooks/${kind}.md`, import.meta.url), "utf8");
  return [...page.matchAll(/^> (.+)$/gm)].map(
    ([, quote = ""]) => new RegExp(`^${quote.replaceAll(/[.%()]/g, "\\$&").replaceAll("…", ".+")}$`),
  );
}

const sentences = (observed: ObservedHealth): string[] => findingsOf(observed).map((one) => one.sentence);
const kinds = (observed: ObservedHealth): string[] => findingsOf(observed).map((one) => one.kind);

/** The judgement after two looks that see the same. */
function twice(
  observed: ObservedHealth,
  record: HealthRecord = unknownHealth,
  status = "available",
): Judgement {
  const first = judge(observed, { record, status, suspected: [] });
  return judge(observed, { record: first.record, status: first.status, suspected: first.suspected });
}

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

describe("the status", () => {
  test("follows the second look, so that a failover which is over by then is none", () => {
    const trouble = withMember(well(), 2, { state: "starting" });
    const first = judge(trouble, { record: unknownHealth, status: "available", suspected: [] });
    expect(first).toMatchObject({ status: "available", statusReason: wellSentence, events: [] });
    const over = judge(well(), { record: first.record, status: "available", suspected: first.suspected });
    expect(over).toMatchObject({ status: "available", events: [] });
    expect(twice(trouble)).toMatchObject({
      status: "degraded",
      statusReason: expect.stringMatching(
        /^PostgreSQL on node nod_\S+2 in local-1c is starting, not streaming\.$/,
      ),
      events: [{ action: "cluster-degraded" }],
    });
  });

  test("goes back by itself, with one event", () => {
    const { record } = twice(dead(well(), 2));
    const back = judge(well(), { record, status: "degraded", suspected: [] });
    expect(back).toMatchObject({
      status: "available",
      statusReason: wellSentence,
      events: [{ action: "cluster-recovered" }],
    });
    expect(back.record).toMatchObject({ findings: [], silentSince: {} });
  });

  test("tells the worst first and counts the rest", () => {
    const observed = withInspection(dead(well(), 2), 0, { clockSkewMs: 9000 });
    expect(twice(observed).statusReason).toMatch(
      /although its instance runs \(also: clock-skew nod_\S+0\)\.$/,
    );
  });

  test("of a paused cluster says so, well or not", () => {
    const paused = { since: now, until: "2026-01-02T00:00:00.000Z" };
    expect(twice({ ...well(), paused })).toMatchObject({
      status: "available",
      statusReason: withPauseReminder(wellSentence, paused),
    });
    expect(twice({ ...dead(well(), 2), paused }).statusReason).toMatch(/its instance runs\. Paused since/);
  });

  test("has a leader that changed told as an event, and the first one not", () => {
    const { record } = twice(well());
    expect(record.leaders).toEqual({ 0: { nodeId: nodeIdOf(0), timeline: 1 } });
    const moved = withMember(
      withMember(well(), 0, { role: "sync-standby", state: "streaming", timeline: 2 }),
      1,
      {
        role: "leader",
        state: "running",
        timeline: 2,
      },
    );
    expect(judge(moved, { record, status: "available", suspected: [] }).events).toEqual([
      {
        action: "leader-changed",
        detail: `Shard 0 is led by ${nodeIdOf(1)} instead of ${nodeIdOf(0)}, on timeline 2.`,
      },
    ]);
  });

  test("has a leader that was promoted before the first look told too", () => {
    const promoted = withMember(well(), 0, { role: "leader", state: "running", timeline: 2 });
    expect(judge(promoted, { record: unknownHealth, status: "available", suspected: [] }).events).toEqual([
      { action: "leader-changed", detail: `Shard 0 is led by ${nodeIdOf(0)}, on timeline 2.` },
    ]);
  });

  test("the time since when a node is silent begins once, survives looks that see nothing, and ends with a sign", () => {
    const first = twice(dead(well(), 2)).record;
    expect(first.silentSince).toEqual({ [nodeIdOf(2)]: now });
    const later = { ...dead(well(), 2), now: "2026-01-01T00:01:00.000Z" };
    const blind = { ...well(), survey: null, instances: null };
    const seen = (observed: ObservedHealth) =>
      judge(observed, { record: first, status: "degraded", suspected: [] }).record.silentSince;
    expect(seen(later)).toEqual(first.silentSince);
    expect(seen(blind)).toEqual(first.silentSince);
    expect(seen(well())).toEqual({});
  });
});

describe("drift", () => {
  const changed = withInspection(
    withInspection(well(), 0, {
      drift: [{ path: "/etc/pgherd/haproxy.cfg" }, { path: "patroni:/config/ttl" }],
    }),
    1,
    { drift: [{ path: "patroni:/config/ttl" }] },
  );

  test("names files by node and what Patroni keeps once, and makes nothing degraded", () => {
    expect(twice(changed)).toMatchObject({
      status: "available",
      drift: [
        { nodeId: nodeIdOf(0), what: "file", path: "/etc/pgherd/haproxy.cfg" },
        { nodeId: null, what: "patroni", path: "ttl" },
      ],
    });
  });

  test("tells an instance that is not the recorded one", () => {
    const instances = new Map(well().instances).set(nodeIdOf(1), {
      instanceId: "i-other",
      instanceType: "t4g.medium",
      life: "running" as const,
    });
    expect(twice({ ...well(), instances }).drift).toMatchObject([{ nodeId: nodeIdOf(1), what: "instance" }]);
  });

  test("tells an instance of another type than the spec's", () => {
    const { instanceId } = well().cluster.nodes[1] ?? {};
    const other = { instanceId: instanceId ?? "", instanceType: "m7g.large", life: "running" as const };
    const instances = new Map(well().instances).set(nodeIdOf(1), other);
    expect(twice({ ...well(), instances }).drift).toEqual([
      {
        nodeId: nodeIdOf(1),
        what: "instance",
        detail: `${instanceId} is a m7g.large, and the spec asks for a t4g.medium.`,
      },
    ]);
  });
});

/** Clusters in which anything may be wrong. */
const anything: fc.Arbitrary<ObservedHealth> = fc
  .record({
    count: fc.integer({ min: 1, max: 5 }),
    states: fc.array(fc.constantFrom("running", "streaming", "stopped", "crashed"), {
      minLength: 5,
      maxLength: 5,
    }),
    silent: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 2 }),
    sick: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 3 }),
    full: fc.boolean(),
    isSeen: fc.boolean(),
  })
  .map(({ count, states, silent, sick, full, isSeen }) => {
    let observed = well(count);
    states.slice(0, count).forEach((state, index) => {
      observed = withMember(observed, index, { state });
    });
    for (const index of silent) observed = withNeighbour(observed, nodeIdOf(index), deaf);
    observed = withDcs(observed, sick);
    if (full) observed = withInspection(observed, 0, { disk: { totalBytes: 10, usedBytes: 10 } });
    return isSeen ? observed : { ...observed, survey: null };
  });

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
